"""The bench measures; it never asserts on time, and neither does its test."""
import json

from support import Case


class Bench(Case):
    def test_it_measures_all_three_things(self):
        out, _ = self.busbar("bench", "--pairs", 1, "--size", "16", "--window", "20ms", "--rounds",
                             100, "--json")
        report = json.loads(out)
        self.assertEqual([row["device"] for row in report["throughput"]],
                         ["forwarder", "streamer", "queue"])
        for row in report["throughput"]:
            self.assertIn("median", row["ratio"]["zmq_proxy"])
            self.assertIn("median", row["cpu_ratio"])
        self.assertGreater(report["latency"][0]["p50_us"]["median"], 0)
        self.assertEqual({row["state"] for row in report["idle"]}, {"idle", "paused", "blocked"})

    def test_what_is_not_compared_with_is_not_a_figure(self):
        out, _ = self.busbar("bench", "throughput", "--device", "streamer", "--pairs", 1, "--size",
                             "16", "--window", "20ms", "--against", "zmq_proxy", "--json")
        (row,) = json.loads(out)["throughput"]
        self.assertIsNone(row["ratio"]["direct"])
        self.assertGreater(row["ratio"]["zmq_proxy"]["median"], 0)

    def test_work_stands_beside_stock_sockets_and_the_ideal_schedule(self):
        out, _ = self.busbar("bench", "pushpull", "--pairs", 1, "--size", "16", "--window", "20ms",
                             "--json")
        report = json.loads(out)
        self.assertEqual([row["carrier"] for row in report["pushpull"]],
                         ["batched", "batched, no ack", "unbatched", "PUSH/PULL"])
        for row in report["pushpull"]:
            self.assertGreater(row["ratio"]["median"], 0)
        self.assertGreater(report["unequal_workers"]["by_credit"]["median"], 0)
        self.assertGreater(report["unequal_workers"]["round_robin"]["median"], 0)

    def test_peers_find_each_other_and_notice_a_kill(self):
        out, _ = self.busbar("bench", "peers", "--pairs", 1, "--peers", 6, "--json",
                             timeout=90)  # two kills, each seen after 15 s of silence
        alone, spread = json.loads(out)["peers"]
        self.assertEqual((alone["processes"], spread["processes"]), (1, 4))
        for row in (alone, spread):
            self.assertLess(row["all_known_s"]["median"], 5)
            self.assertGreater(row["killed_of_expiry"]["median"], 0)
            self.assertLess(row["killed_of_expiry"]["median"], 1.1)

    def test_requests_stand_beside_stock_sockets(self):
        out, _ = self.busbar("bench", "reqrep", "--pairs", 1, "--size", "16", "--window", "20ms",
                             "--rounds", 100, "--against", "zmq_proxy", "--json")
        row, batched, stock = json.loads(out)["reqrep"]
        self.assertEqual(batched["requester"], "batched")
        self.assertEqual(stock["requester"], "stock ends")
        self.assertGreater(batched["round_trips_per_second"]["of_zmq_proxy"]["median"], 0)
        for figure in ("round_trips_per_second", "p50_us", "p99_us"):
            self.assertGreater(row[figure]["of_zmq_proxy"]["median"], 0)
            self.assertIsNone(row[figure]["of_nats"])

    def test_services_stand_beside_the_guides_broker(self):
        out, _ = self.busbar("bench", "services", "--pairs", 1, "--size", "16", "--window", "20ms",
                             "--workers", 3, "--in-flight", 20, "--json")
        rows = json.loads(out)["services"]
        self.assertEqual([row["broker"] for row in rows],
                         ["services", "services, prefetch 8", "mdbroker"])
        for row in rows:
            self.assertEqual((row["in_flight"], row["workers"]), (20, 3))
            self.assertGreater(row["requests_per_second"]["median"], 0)
            self.assertGreater(row["ratio"]["mdbroker"]["median"], 0)
            self.assertIsNone(row["ratio"]["nats"])

    def test_it_shows_a_table_of_what_is_asked_for(self):
        out, _ = self.busbar("bench", "latency", "--pairs", 1, "--size", "16,32", "--rounds", 100,
                             "--against", "zmq_proxy")
        self.assertIn("of zmq_proxy", out)
        self.assertNotIn("Throughput", out)
        self.assertIn("what", self.busbar("bench", "speed", code=2)[1])
