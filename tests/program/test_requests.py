"""What req and rep have from the patterns: many at a time, deadlines, errors that arrive, failover."""
import json
import signal

import zmq

from support import StockCase

TCP = ("--bind", "tcp://127.0.0.1:*")


class Requests(StockCase):
    def test_many_at_a_time_are_answered_in_order(self):
        lines = "".join(f"{i}\n" for i in range(2000))
        rep = self.start("rep", *TCP, "--command", "cat", "--threads", 3)
        out, err = self.busbar("req", rep.bound(), "--concurrency", 100, stdin=lines)
        self.assertEqual((out, err), (lines, ""))

    def test_they_go_through_a_queue(self):
        device = self.device("queue")
        for _ in range(2):
            self.start("rep", device.backend, "--echo")
        lines = "".join(f"{i}\n" for i in range(100))
        out, _ = self.busbar("req", device.frontend, "--concurrency", 10, stdin=lines)
        self.assertEqual(out, lines)

    def test_what_failed_is_said_with_its_line(self):
        rep = self.start("rep", *TCP, "--command", "exit 3")
        _, err = self.busbar("req", rep.bound(), stdin="x\n", code=5)
        self.assertIn("line 1: it failed: ", err)
        self.assertIn("it has ended", err)
        self.assertEqual(rep.exit_code(), 5)

    def test_nobody_there_is_4(self):
        _, err = self.busbar("req", self.ipc("nobody"), "--timeout", "100ms", stdin="x\n", code=4)
        self.assertIn("no peer within 100ms", err)

    def test_json_on_both_sides(self):
        rep = self.start("rep", *TCP, "--command", "cat", "--json")
        out, _ = self.busbar("req", rep.bound(), "--json", "--method", "any",
                             stdin='{"payload":"a\\nb"}\n{"payload":[1,2]}\n')
        self.assertEqual([json.loads(line) for line in out.splitlines()],
                         [{"payload": "a\nb"}, {"payload": "[1,2]"}])

    def test_another_server_takes_over(self):
        reps = [self.start("rep", *TCP, "--echo") for _ in range(2)]
        req = self.start("req", *(rep.bound() for rep in reps), "--idempotent", "--timeout", "20s")
        for rep in (None, *reps[:1]):
            if rep:
                rep.signal(signal.SIGKILL)
            for i in range(10):
                req.write(f"{i}\n")
                self.assertEqual(req.line(), str(i))
        req.end_of_input()
        self.assertEqual(req.exit_code(), 0)

    def test_an_option_that_stock_rep_does_not_know_is_refused(self):
        _, err = self.busbar("req", self.ipc("r"), "--wire", "plain", "--method", "m", code=2)
        self.assertIn("--method", err)

    def test_plain_gives_back_all_frames(self):
        rep = self.start("rep", *TCP, "--echo", "--wire", "plain")
        req = self.socket(zmq.REQ, rep.bound())
        req.send_multipart([b"a", b"b"])
        self.assertEqual(req.recv_multipart(), [b"a", b"b"])

    def test_a_service_is_served_by_its_name(self):
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        for version in ("0.1", "0.2"):
            self.start("rep", broker, "--service", "upper" + version, "--mdp", version, "--threads", 2,
                       "--command", "stdbuf -oL tr a-z A-Z")
            out, err = self.busbar("call", "upper" + version, "--connect", broker, stdin="one\ntwo\n")
            self.assertEqual((out, err), ("ONE\nTWO\n", ""))
        rep = self.start("rep", broker, "--service", "echo", "--echo", "--count", 2)
        out, _ = self.busbar("call", "echo", "--connect", broker, stdin="one\ntwo\n")
        self.assertEqual(out, "one\ntwo\n")
        self.assertEqual(rep.exit_code(), 0)

    def test_a_service_that_fails_ends_and_answers_nobody(self):
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        rep = self.start("rep", broker, "--service", "none", "--command", "exit 3", "--threads", 3)
        self.busbar("call", "none", "--connect", broker, "--timeout", "1s", stdin="x\n", code=4)
        self.assertEqual(rep.exit_code(), 5)
        self.assertIn("it has ended", rep.errors())

    def test_what_a_service_cannot_do_is_refused(self):
        for options, word in ((("--bind",), "--bind"), (("--wire", "plain"), "--wire plain")):
            _, err = self.busbar("rep", self.ipc("b"), "--echo", "--service", "s", *options, code=2)
            self.assertIn(word, err)
        _, err = self.busbar("rep", self.ipc("b"), "--echo", "--mdp", "0.1", code=2)
        self.assertIn("--service", err)
