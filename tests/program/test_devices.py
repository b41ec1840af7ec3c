"""Lines go through each device, and signals and control endpoints end it in order."""
import json
import signal

import zmq

from support import StockCase, subscription_at


class Devices(StockCase):
    def test_lines_go_through_a_streamer(self):
        device = self.device("streamer")
        pull = self.start("pull", "--wire", "plain", device.backend, "--count", 1000)
        lines = "".join(f"{i}\n" for i in range(1000))
        self.busbar("push", "--wire", "plain", device.frontend, stdin=lines)
        self.assertEqual(pull.lines(1000), [str(i) for i in range(1000)])
        self.assertEqual(pull.exit_code(), 0)
        device.signal()
        ledger = device.json()["ledger"]
        self.assertEqual(device.exit_code(), 0)
        self.assertEqual((ledger["frontend"]["received"], ledger["backend"]["sent"]), (1000, 1000))
        self.assertTrue(ledger["reconciles"])
        self.assertIn("streamer streamer stopped", device.errors())

    def test_lines_go_through_a_forwarder_and_its_stages(self):
        device = self.device("forwarder", "--stage", "rename prices fx")
        sub = self.start("sub", device.backend, "--topic", "fx.*", "--with-topic", "--count", 2)
        watcher = self.socket(zmq.XPUB, device.frontend)  # a stock publisher sees the subscription
        self.assertEqual({subscription_at(watcher), subscription_at(watcher)},
                         {b"\1fx.", b"\1prices."})
        self.busbar("pub", device.frontend, "--with-topic",
                    stdin="prices.eur\t1.08\nprices.usd.x\t9\nprices.usd\t1.00\n")
        self.assertEqual(sub.lines(2), ["fx.eur\t1.08", "fx.usd\t1.00"])
        self.assertEqual(sub.exit_code(), 0)

    def test_requests_go_through_a_queue_proxy(self):
        device = self.device("queue")
        rep = self.start("rep", device.backend, "--command", "stdbuf -oL tr a-z A-Z", "--count", 3)
        out, _ = self.busbar("req", device.frontend, stdin="a\nbc\nlast without newline")
        self.assertEqual(out, "A\nBC\nLAST WITHOUT NEWLINE\n")
        self.assertEqual(rep.exit_code(), 0)

    def test_it_says_where_it_is_bound_and_what_a_peer_may_cost(self):
        device = self.device("streamer", "--name", "tasks", "--queue", 10, "--control",
                             self.ipc("control"), "--tap", self.ipc("tap"))
        self.assertEqual(device.started["name"], "tasks")
        self.assertEqual(device.started["control"], self.ipc("control"))
        self.assertEqual(device.started["tap"], self.ipc("tap"))
        self.assertEqual(device.started["peer_bytes_max"], 2 * 10 * (64 << 20))
        device.says("a peer that does not read can hold up to 2 x 10 messages here")

    def test_sigterm_hands_on_what_is_queued_before_it_ends(self):
        device = self.device("streamer", "--drain-timeout", "15s", "--control", self.ipc("control"))
        push = self.socket(zmq.PUSH, device.frontend)
        for i in range(5):
            push.send(b"%d" % i)

        def took_one():
            status = self.busbar("status", self.ipc("control"))[0]
            return "backend" in status and "received 0 " not in status.split("backend")[0]

        self.eventually(took_one, "the device receives something")
        device.signal()
        device.says("draining")
        pull = self.socket(zmq.PULL, device.backend)
        self.assertEqual([pull.recv() for _ in range(5)], [b"%d" % i for i in range(5)])
        self.assertEqual(device.exit_code(), 0)

    def test_a_second_signal_stops_at_once_and_counts_what_is_abandoned(self):
        for messages, code in ((0, 0), (1, 4)):
            with self.subTest(messages):
                device = self.device("streamer", "--drain-timeout", "10min", "--control",
                                     self.ipc(f"control-{messages}"))
                if messages > 0:
                    self.socket(zmq.PUSH, device.frontend).send(b"for nobody")
                self.eventually(lambda: f"held {messages}" in self.busbar(
                    "status", self.ipc(f"control-{messages}"))[0], "it waits for a worker")
                device.signal(signal.SIGSTOP)  # else an idle one ends between the two
                device.signal(signal.SIGINT)
                device.signal(signal.SIGTERM)
                device.signal(signal.SIGCONT)
                self.assertEqual(device.exit_code(), code)
                ledger = device.json()["ledger"]
                self.assertTrue(ledger["reconciles"])
                self.assertEqual(ledger["frontend"]["causes"].get("abandoned", 0), messages)

    def test_a_drain_by_signal_that_abandons_messages_says_so_and_is_4(self):
        device = self.device("streamer", "--drain-timeout", "200ms", "--control",
                             self.ipc("control"))
        self.busbar("push", "--wire", "plain", device.frontend, stdin="for nobody\n")
        self.eventually(lambda: "held 1" in self.busbar("status", self.ipc("control"))[0],
                        "the message waits for a worker")
        device.signal()
        self.assertEqual(device.exit_code(), 4)
        self.assertIn("1 message abandoned", device.errors())
        self.assertEqual(device.json()["ledger"]["frontend"]["causes"]["abandoned"], 1)

    def test_a_queue_that_drains_says_which_requests_had_no_reply(self):
        device = self.device("queue", "--drain-timeout", "200ms")
        client = self.socket(zmq.DEALER, device.frontend)
        worker = self.socket(zmq.DEALER, device.backend)
        client.send_multipart([b"", b"answered"])
        worker.send_multipart(worker.recv_multipart())
        client.recv_multipart()
        client.send_multipart([b"", b"not answered"])
        worker.recv_multipart()
        device.signal()
        self.assertEqual(device.exit_code(), 4)
        self.assertIn("1 request without a reply", device.errors())

    def test_services_do_not_wait_for_a_worker_where_there_is_none(self):
        device = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json", "--drain-timeout", "10min",
                            "--control", self.ipc("control"))
        client = self.socket(zmq.DEALER, device.json()["frontend"][0])
        for service in (b"a", b"b", b"a"):
            client.send_multipart([b"MDPC02", b"\1", service, b"x"])
        self.eventually(lambda: "held 3" in self.busbar("status", self.ipc("control"))[0], "all are held")
        device.signal()
        self.assertEqual(device.exit_code(), 4)
        errors = device.errors()
        for said in ("3 messages abandoned", "2 requests to 'a', which has no worker",
                     "1 request to 'b', which has no worker"):
            self.assertIn(said, errors)

    def test_bad_command_lines_say_what_to_do(self):
        for args, code, said in (
                (["--frontend", self.ipc("f")], 2, "--backend"),
                (["--frontend", "tcp://127.0.0.1"], 2, "tcp://"),
                (["--frontend", "tcp://*:*", "--backend", self.ipc("b")], 2, "--insecure"),
                (["--frontend", self.ipc("f"), "--backend", self.ipc("b"), "--stage", "onyl x"], 2, "only"),
                (["--frontend", self.ipc("f"), "--backend", self.ipc("b"), "--overflow", "x"], 2, "drop"),
                (["--frontend", self.ipc("f"), "--backend", self.ipc("b"), "--queue", "0"], 2, "queue")):
            with self.subTest(args):
                out, err = self.busbar("forwarder", *args, code=code)
                self.assertEqual(out, "")
                self.assertIn(said, err)

    def test_options_without_effect_are_refused(self):
        sides = ("--frontend", "tcp://127.0.0.1:*", "--backend", "tcp://127.0.0.1:*")
        for args, said in (
                (["--heartbeat", "1s"], "heartbeat is for services, and for queues with the strategy ready (leave it "),
                (["--expiry", "10s"], "or give the queue that strategy"),
                (["--strategy", "ready", "--overflow", "drop"], "overflow is not for services, nor for queues")):
            with self.subTest(args):
                _, err = self.busbar("queue", *sides, *args, code=2)
                self.assertIn(said, err)

    def test_endpoints_inside_the_process_are_refused(self):
        there = "tcp://127.0.0.1:*"
        for args in (("services", "--bind", "inproc://x"),
                     ("services", "--bind", there, "--control", "inproc://x"),
                     ("queue", "--frontend", "inproc://x", "--backend", there),
                     ("streamer", "--frontend", there, "--backend", there, "--tap", "inproc://x"),
                     ("forwarder", "--frontend", there, "--backend-connect", "inproc://x")):
            with self.subTest(args):
                _, err = self.busbar(*args, code=2)
                self.assertIn(f"{args[0]} inproc://x: inproc does not leave this process (use ipc:// or tcp://)", err)

    def test_an_address_in_use_exits_with_3(self):
        device = self.device("queue")
        _, err = self.busbar("queue", "--frontend", device.frontend, "--backend", self.ipc("b"), code=3)
        self.assertIn("in use", err)

    def test_an_address_that_is_its_own_other_side_s_is_named(self):
        port = self.bound(zmq.PULL)[1]  # known, and taken: said before that is noticed
        for first, second in (("--frontend", "--backend"), ("--frontend", "--frontend"),
                              ("--backend", "--control"), ("--control", "--tap")):
            given = {"--frontend": self.ipc("f"), "--backend": self.ipc("b")}
            arguments = [first, port, second, port]
            for side in given.keys() - {first, second}:
                arguments += [side, given[side]]
            with self.subTest(arguments):
                _, err = self.busbar("streamer", *arguments, code=2)
                self.assertIn(f"{port} is for its {second[2:]}, and taken by its {first[2:]}", err)
                self.assertNotIn("another process", err)

    def test_endpoints_may_be_given_more_than_once(self):
        device = self.start("streamer", "--json", "--frontend", "tcp://127.0.0.1:*", "--frontend",
                            self.ipc("f"), "--backend", "tcp://127.0.0.1:*")
        started = device.json()
        self.assertEqual(len(started["frontend"]), 2)
        pull = self.start("pull", "--wire", "plain", started["backend"][0], "--count", 2)
        for frontend in started["frontend"]:
            self.busbar("push", "--wire", "plain", frontend, stdin="x\n")
        self.assertEqual(pull.lines(2), ["x", "x"])


class Control(StockCase):
    def test_pause_resume_and_stop_are_obeyed(self):
        device = self.device("streamer", "--name", "tasks", "--control", self.ipc("control"))
        control = self.ipc("control")

        def state():
            return self.ledger("status", control)["state"]

        self.assertEqual(state(), "running")
        self.ledger("pause", control)
        self.eventually(lambda: state() == "paused", "it is paused")
        self.ledger("resume", control)
        self.eventually(lambda: state() == "running", "it runs again")
        self.busbar("stop", control)
        self.assertEqual(device.exit_code(), 0)

    def ledger(self, *args):
        (ledger,) = json.loads(self.busbar(*args, "--json")[0])["devices"]
        return ledger

    def test_what_a_worker_had_when_it_died_is_counted(self):
        device = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json", "--heartbeat", "50ms",
                            "--expiry", "1h", "--prefetch", 3, "--control", self.ipc("control"))
        there = device.json()["frontend"][0]
        worker, client = self.socket(zmq.DEALER, there), self.socket(zmq.DEALER, there)
        worker.send_multipart([b"MDPW02", b"\1", b"s"])
        for _ in range(3):
            client.send_multipart([b"MDPC02", b"\1", b"s", b"x"])
        asked = []
        while len(asked) < 3:
            message = worker.recv_multipart()
            asked += [message] if message[1] == b"\2" else []
        worker.send_multipart([b"MDPW02", b"\4", asked[0][2], b"", b"y"])
        self.assertEqual(client.recv_multipart()[-1], b"y")
        worker.close(0)

        def status():
            return self.ledger("status", self.ipc("control"))
        self.eventually(lambda: status()["requests"] == {"answered": 1, "with_workers": 0, "unanswered": 2},
                        "the worker is found dead")
        self.assertTrue(status()["reconciles"])
        out, _ = self.busbar("status", self.ipc("control"))
        self.assertIn("\n  requests  answered 1, with workers 0, unanswered 2\n", out)

    def test_the_bytes_that_services_hold_are_bounded(self):
        device = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json", "--hold-bytes", 100,
                            "--control", self.ipc("control"))
        client = self.socket(zmq.DEALER, device.json()["frontend"][0])
        for size in (20, 200):
            client.send_multipart([b"MDPC02", b"\1", b"s", b"x" * size])

        def backend():
            return self.ledger("status", self.ipc("control"))["backend"]
        self.eventually(lambda: backend()["causes"].get("overflow") == 1, "the large one is dropped")
        self.assertEqual(backend()["held"], 1)

    def test_drain_ends_an_idle_device(self):
        device = self.device("queue", "--control", self.ipc("control"))
        self.busbar("drain", self.ipc("control"), "--deadline", "10s")
        self.assertEqual(device.exit_code(), 0)

    def test_status_is_for_people_too(self):
        self.device("forwarder", "--name", "hub", "--control", self.ipc("control"))
        out, _ = self.busbar("status", self.ipc("control"))
        self.assertTrue(out.startswith("hub forwarder running\n  frontend  received 0 "), out)

    def test_status_names_what_was_dropped_and_who_is_slow(self):
        hub = self.device("forwarder", "--control", self.ipc("control"))
        sub = self.socket(zmq.SUB, subscribe=b"", rcvhwm=1, rcvbuf=4096)  # and never reads
        sub.connect(hub.backend)
        pub = self.socket(zmq.XPUB)
        pub.connect(hub.frontend)
        pub.recv()

        def slow():
            for _ in range(1000):
                pub.send_multipart([b"prices", b"x" * 10_000])
            return self.ledger("status", self.ipc("control"))["slow_peers"]

        self.eventually(slow, "somebody is slow")
        ledger = self.ledger("status", self.ipc("control"))
        (dropped,) = ledger["dropped_topics"]
        self.assertEqual(dropped["topic"], "prices")
        self.assertIn(ledger["slow_peers"][0], [peer["address"] for peer in ledger["peers"]])
        out, _ = self.busbar("status", self.ipc("control"))
        self.assertRegex(out, r"\n  dropped   prices \d+ \(")
        self.assertIn(f"\n  slow      {ledger['slow_peers'][0]}\n", out)

    def test_silence_is_4(self):
        queue = self.device("queue")  # it takes the request, and knows nobody who would answer
        _, err = self.busbar("status", queue.frontend, "--timeout", "300ms", code=4)
        self.assertIn("nobody answered within 300 ms", err)

    def test_where_nobody_listens_it_is_3(self):
        for command in ("status", "pause", "resume", "drain", "stop"):
            with self.subTest(command):
                _, err = self.busbar(command, self.ipc("nobody"), "--timeout", "300ms", code=3)
                self.assertIn("nobody listens there", err)
        gone, endpoint = self.bound(zmq.ROUTER)
        gone.close(0)
        _, err = self.busbar("stop", endpoint, "--timeout", "300ms", code=3)
        self.assertIn("nobody listens there", err)

    def test_a_host_that_has_no_address_is_3(self):
        _, err = self.busbar("status", "tcp://no.such.host.invalid:5555", "--timeout", "20s", code=3)
        self.assertIn("cannot resolve 'no.such.host.invalid' (check the host's name, ", err)
        _, err = self.busbar("push", "--wire", "plain", "tcp://no.such.host.invalid:5555", "--timeout", "6s", code=3,
                             stdin="x")
        self.assertIn("no peer within 6s; cannot resolve 'no.such.host.invalid'", err)

    def test_what_a_drain_abandons_is_said_and_is_4(self):
        device = self.device("queue", "--control", self.ipc("control"))
        client = self.socket(zmq.DEALER, device.frontend)
        client.send_multipart([b"", b"for nobody"])
        self.eventually(lambda: self.ledger("status", self.ipc("control"))["backend"]["held"] == 1,
                        "the request waits for a worker")
        client.close(0)
        out, err = self.busbar("drain", self.ipc("control"), "--deadline", "300ms", code=4)
        self.assertIn("queue queue stopped", out)
        self.assertIn("warning: 1 message abandoned", err)
        self.assertEqual(device.exit_code(), 0)
        self.assertRegex(device.errors(), r"not stopped cleanly in [1-9]\d+ ms; 1 message abandoned")

    def test_what_a_stop_abandons_is_said(self):
        device = self.device("streamer", "--control", self.ipc("control"))
        self.busbar("push", "--wire", "plain", device.frontend, stdin="for nobody\n")
        self.eventually(lambda: self.ledger("status", self.ipc("control"))["backend"]["held"] == 1,
                        "the message waits for a worker")
        self.assertIn("1 message abandoned", self.busbar("stop", self.ipc("control"))[1])

    def test_pause_and_resume_say_the_state_in_a_line(self):
        self.device("streamer", "--name", "tasks", "--control", self.ipc("control"))
        self.assertEqual(self.busbar("pause", self.ipc("control"))[0], "tasks streamer paused\n")
        self.assertEqual(self.busbar("resume", self.ipc("control"))[0], "tasks streamer running\n")

    def test_the_port_of_an_endpoint_is_checked(self):
        self.busbar("pause", "tcp://127.0.0.1:99999", code=2)
