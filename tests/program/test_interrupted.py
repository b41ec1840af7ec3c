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
