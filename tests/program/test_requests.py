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
