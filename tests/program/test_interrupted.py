"""pub, push and peer that are told to end while they wait: 0 only where nothing is left behind."""
import signal
import socket

from support import StockCase

TCP = ("--bind", "tcp://127.0.0.1:*")
WAITING = (("push", *TCP), ("push", *TCP, "--wire", "plain"), ("pub", *TCP, "--topic", "t"),
           ("pub", *TCP, "--topic", "t", "--wait-subscribers", 1),
           ("pub", *TCP, "--with-topic", "--wait-subscribers", 1))


class Interrupted(StockCase):
    def waits(self, args):
        """One whose signals count, and which nobody will ever connect to."""
        wait = ("--wait", "10min") if args[0] == "pub" else ()
        process = self.start(*args, "--timeout", "10min", *wait)
        process.bound()
        return process

    def test_a_line_that_waits_for_a_peer_was_not_sent(self):
        for args in WAITING:
            with self.subTest(args):
                process = self.waits(args)
                process.write("t\tx\nt\ty\n")
                process.signal(signal.SIGINT)
                self.assertEqual(process.exit_code(), 4)
                self.assertIn("nothing sent from line 1 on", process.errors())

    def test_who_had_nothing_to_send_has_left_nothing_behind(self):
        for args in WAITING:
            with self.subTest(args):
                process = self.waits(args)
                process.signal(signal.SIGTERM)
                self.assertEqual(process.exit_code(), 0)
                self.assertEqual(process.errors().count("busbar: "), 1)  # where it is bound

    def test_a_connection_that_never_comes_about_is_no_peer(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            for args in (("push",), ("push", "--wire", "plain"), ("pub", "--topic", "t")):
                with self.subTest(args):
                    process = self.start(*args, f"tcp://127.0.0.1:{listener.getsockname()[1]}",
                                         "--timeout", "10min", "--file", self.file("in", "x\n"))
                    with listener.accept()[0]:
                        process.signal(signal.SIGINT)
                        self.assertEqual(process.exit_code(), 4)
                    self.assertRegex(process.errors(), r"nothing sent from \S+/in:1 on")

    def test_what_a_stuck_puller_has_is_not_done(self):
        push = self.start("push", *TCP, "--timeout", "200ms")
        pull = self.start("pull", push.bound(), "--credit", 1)
        push.write("a\n")
        self.assertEqual(pull.line(), "a")
        pull.signal(signal.SIGSTOP)
        push.write("b\nc\n")
        push.signal(signal.SIGINT)
        self.assertEqual(push.exit_code(), 4)
        # Either was pushed before the signal was seen, or not.
        self.assertRegex(push.errors(), r"messages? of \d not done|nothing sent from line \d on")

    def test_a_line_for_a_peer_that_never_comes_was_not_sent(self):
        for args in (("whisper", "nobody"), ("shout", "nowhere")):
            with self.subTest(args):
                process = self.start("peer", *args, "--beacon-port", 0, "--timeout", "10min")
                process.says("peer '")
                process.write("x\n")
                process.signal(signal.SIGINT)
                self.assertEqual(process.exit_code(), 4)
                self.assertIn("nothing sent from line 1 on", process.errors())


class Busy(StockCase):
    """Input that is there all at once, and more than is sent before the deadline of a test."""

    def setUp(self):
        super().setUp()
        self.lines = ("--file", self.file("in", b"x\n" * 4_000_000))

    def ends_at_once(self, process, said):
        process.signal(signal.SIGTERM)
        self.assertEqual(process.exit_code(), 4)
        self.assertRegex(process.errors(), said + r" \S+/in:\d+ ")

    def test_req_and_call_end_at_a_signal(self):
        broker = self.start("services", *TCP, "--json").json()["frontend"][0]
        self.start("rep", broker, "--service", "s", "--echo")
        direct = self.start("rep", *TCP, "--echo").bound()
        plain = self.start("rep", *TCP, "--wire", "plain", "--echo").bound()
        for args in (("req", direct), ("req", direct, "--concurrency", 100),
                     ("req", plain, "--wire", "plain"), ("call", "s", "--connect", broker)):
            with self.subTest(args):
                process = self.start(*args, *self.lines)
                self.assertEqual(process.line(), "x")
                self.ends_at_once(process, "ended by a signal; no reply to")

    def test_push_ends_at_a_signal(self):
        for wire in ("busbar", "plain"):
            with self.subTest(wire):
                push = self.start("push", *TCP, "--wire", wire, *self.lines)
                pull = self.start("pull", push.bound(), "--wire", wire)
                self.assertEqual(pull.line(), "x")
                self.ends_at_once(push, "nothing sent from")

    def test_push_does_not_wait_for_a_puller_that_is_stuck(self):
        push = self.start("push", *TCP, "--timeout", "200ms", *self.lines)
        pull = self.start("pull", push.bound(), "--credit", 1)
        self.assertEqual(pull.line(), "x")
        pull.signal(signal.SIGSTOP)
        self.ends_at_once(push, "nothing sent from")

    def test_a_peer_ends_at_a_signal(self):
        alone = ("--beacon-port", 0, "--bind", "tcp://127.0.0.1:*")
        for action in ("whisper", "shout"):
            with self.subTest(action):
                hears = self.start("peer", "join", "g", "--name", "p", *alone)
                there = hears.says("peer '").split(" at ")[1]
                speaks = self.start("peer", action, "p" if action == "whisper" else "g", *alone,
                                    "--connect", there, *self.lines)
                while not hears.line().startswith(action):
                    pass
                self.ends_at_once(speaks, "nothing sent from")
