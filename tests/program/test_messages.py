"""pub, sub, push, pull, req and rep: lines in, lines out, and nothing lost silently."""
import base64
import json
import resource
import signal
import subprocess
import time

import zmq

from support import BUSBAR, StockCase, subscription_at


class PublishSubscribe(StockCase):
    def test_a_line_arrives_at_once_while_the_input_stays_open(self):
        pub = self.start("pub", "--bind", "tcp://127.0.0.1:*", "--topic", "app", "--wait", "20s")
        sub = self.start("sub", pub.bound(), "--topic", "app")
        for line in ("first", "second", "", "  fourth\t"):
            pub.write(line + "\n")
            self.assertEqual(sub.line(), line)
        pub.end_of_input()
        self.assertEqual(pub.exit_code(), 0)
        sub.signal(signal.SIGINT)
        self.assertEqual(sub.exit_code(), 0)

    def test_a_flood_of_lines_arrives_complete(self):
        lines = "".join(f"{i}\n" for i in range(100_000))
        pub = self.start("pub", "--bind", "tcp://127.0.0.1:*", "--topic", "n", "--wait", "20s",
                         "--file", self.file("lines", lines))
        out, _ = self.busbar("sub", pub.bound(), "--count", 100_000, "--timeout", "10s")
        self.assertEqual(out, lines)
        self.assertEqual(pub.exit_code(), 0)

    def test_patterns_choose_topics_and_prefixes_are_raw(self):
        # What a subscriber is sent last is what it ends with: else it would leave the rest undelivered.
        lines = "a.b.c\t2\nab\t3\nz\t4\na.b\t1\n"
        for args, count, expected in ((["--topic", "a.*"], 1, "a.b\t1\n"),
                                      (["--topic", "a.>"], 2, "a.b.c\t2\na.b\t1\n"),
                                      (["--prefix", "a"], 3, "a.b.c\t2\nab\t3\na.b\t1\n"),
                                      (["--topic", "z", "--topic", "ab"], 2, "ab\t3\nz\t4\n")):
            with self.subTest(args):
                sub = self.start("sub", "--bind", "tcp://127.0.0.1:*", "--with-topic", *args,
                                 "--count", count)
                # Its subscription decides whether a line is counted as having a subscriber, so all
                # lines wait for the first that has one.
                self.busbar("pub", sub.bound(), "--with-topic", "--wait", "100ms", stdin=lines)
                self.assertEqual("".join(line + "\n" for line in sub.lines(count)), expected)
                self.assertEqual(sub.exit_code(), 0)

    def test_a_topic_cannot_break_its_line_or_reach_the_terminal(self):
        stock, endpoint = self.bound(zmq.XPUB)
        sub = self.start("sub", endpoint, "--with-topic", "--count", 1)
        subscription_at(stock)
        stock.send_multipart([b"a\tb\n\x1b[2J\xff\xc3\xa9", b"x\ty"])
        self.assertEqual(sub.line(), "a\\x09b\\x0a\\x1b[2J\\xffé\tx\ty")

    def test_json_carries_text_bytes_and_values_both_ways(self):
        pub = self.start("pub", "--bind", "tcp://127.0.0.1:*", "--json", "--wait", "20s", "--wire",
                         "plain")
        sub = self.start("sub", pub.bound(), "--json", "--count", 4)
        given = ['{"topic":"a","payload":"h\\u00e9\\nllo"}', '{"topic":"b","payload":{"base64":"/wA="}}',
                 '', '{"topic":"c","payload":{"x":[1,null]}}', '{"topic":"d","payload":""}']
        pub.write("\n".join(given))
        pub.end_of_input()
        self.assertEqual([json.loads(line) for line in sub.lines(4)],
                         [{"topic": "a", "payload": "hé\nllo"},
                          {"topic": "b", "payload": {"base64": "/wA="}},
                          {"topic": "c", "payload": '{"x":[1,null]}'},
                          {"topic": "d", "payload": ""}])

    def test_stock_publishers_and_subscribers_are_understood(self):
        sub, endpoint = self.bound(zmq.SUB, subscribe=b"")
        # libzmq sends a bound socket's subscriptions only while its owner is calling it.
        self.start("pub", endpoint, "--topic", "t", "--wait", "20s", "--wire", "plain").write("x\n")
        self.assertEqual(sub.recv_multipart(), [b"t", b"x"])
        pub, endpoint = self.bound(zmq.XPUB)
        reader = self.start("sub", endpoint, "--json", "--count", 2)
        self.assertEqual(subscription_at(pub), b"\1")
        pub.send(b"one frame")
        pub.send_multipart([b"t", b"\xff", b"m", b"last"])
        self.assertEqual(json.loads(reader.line()), {"topic": "one frame", "payload": "one frame"})
        self.assertEqual(json.loads(reader.line()),
                         {"topic": "t", "frames": [{"base64": "/w=="}, "m"], "payload": "last"})

    def test_json_reads_the_header_of_a_tap_and_of_nothing_else(self):
        pub, endpoint = self.bound(zmq.XPUB)
        sub = self.start("sub", endpoint, "--json", "--count", 4)
        self.assertEqual(subscription_at(pub), b"\1")
        header = bytes.fromhex("83a6646576696365a57461736b73a9646972656374696f6ea7666f7277617264"
                               "a474696d65cf17979cfe362a0000")  # the one in WIRE.md
        pub.send_multipart([b"tasks.forward", header, b"first", b"last"])
        pub.send_multipart([b"other.forward", header, b"x"])
        pub.send_multipart([b"tasks.forward", b"no header", b"x"])
        pub.send_multipart([b"tasks.forward", header])
        tap = {"device": "tasks", "direction": "forward", "time": 1700000000000000000}
        raw = {"base64": base64.b64encode(header).decode()}
        self.assertEqual([json.loads(line) for line in sub.lines(4)],
                         [{"topic": "tasks.forward", "tap": tap, "frames": ["first"], "payload": "last"},
                          {"topic": "other.forward", "frames": [raw], "payload": "x"},
                          {"topic": "tasks.forward", "frames": ["no header"], "payload": "x"},
                          {"topic": "tasks.forward", "payload": raw}])

    def test_messages_without_a_subscriber_are_counted(self):
        _, err = self.busbar("pub", "--bind", self.ipc("p"), "--topic", "t", "--wait", "10ms",
                             stdin="a\nb\n")
        self.assertIn("no subscriber for 't' within 10ms", err)
        self.assertIn("2 of 2 messages had no subscriber", err)

    def test_a_bad_line_is_refused_by_its_number_after_what_came_before(self):
        for args, bad, said in ((["--json"], "{no json", "line 3"),
                                (["--json"], '{"topic":"t"}', "payload"),
                                (["--json"], '{"topic":"a..b","payload":""}', "line 3"),
                                (["--json"], '{"topic":"%s","payload":""}' % ("x" * 241), "240"),
                                (["--json"], '{"topic":"t","payload":{"base64":"!"}}', "base64"),
                                (["--with-topic"], "no tab", "tab")):
            with self.subTest(bad):
                good = '{"topic":"t","payload":"good"}' if "--json" in args else "t\tgood"
                sub = self.start("sub", "--bind", "tcp://127.0.0.1:*", "--count", 2)
                _, err = self.busbar("pub", sub.bound(), *args, "--wait", "20s", code=2,
                                     stdin=f"{good}\n{good}\n{bad}\n{good}\n")
                self.assertIn(said, err)
                self.assertEqual(sub.lines(2), ["good", "good"])
        self.busbar("pub", self.ipc("p"), "--topic", "x y", code=2)
        self.busbar("pub", self.ipc("p"), code=2)

    def test_a_closed_reader_ends_it_quietly(self):
        pub = self.start("pub", "--bind", "tcp://127.0.0.1:*", "--topic", "t", "--wait", "20s")
        reader = subprocess.Popen(f"{BUSBAR} sub {pub.bound()} | head -n 1; echo ${{PIPESTATUS[0]}}",
                                  shell=True, executable="/bin/bash", stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(reader.kill)
        pub.write("one\n")
        out, err = reader.communicate(timeout=20)
        self.assertEqual((out, err), ("one\n0\n", ""))


class PushPull(StockCase):
    def test_a_whole_file_goes_as_one_message(self):
        content = bytes(range(256)) * 4096
        pull = self.start("pull", "--bind", "tcp://127.0.0.1:*", "--count", 1, "--whole", "--file",
                          self.path("out"))
        self.busbar("push", pull.bound(), "--whole", "--file", self.file("in", content))
        self.assertEqual(pull.exit_code(), 0)
        with open(self.path("out"), "rb") as out:
            self.assertEqual(out.read(), content)

    def test_an_address_in_use_is_said_by_every_command(self):
        _, taken = self.bound(zmq.PULL)
        for command in (("pull", "--bind", taken), ("peer", "join", "x", "--beacon-port", 0, "--bind", taken)):
            with self.subTest(command):
                _, err = self.busbar(*command, code=3)
                self.assertIn("address already in use (another process listens there)", err)

    def test_what_is_too_large_is_refused_after_what_came_before(self):
        pull, endpoint = self.bound(zmq.PULL)
        too_long = b"ok\n" + b"x" * (65 << 20) + b"\n"
        _, err = self.busbar("push", endpoint, "--wire", "plain", stdin=too_long, code=2)
        self.assertIn("line 2: longer than 64 MiB", err)
        self.assertEqual(pull.recv(), b"ok")

    def test_without_a_peer_it_gives_up_in_time(self):
        self.busbar("pub", self.ipc("none"), "--topic", "t", "--timeout", "100ms", stdin="x\n", code=4)
        for wire in ("busbar", "plain"):
            _, err = self.busbar("push", self.ipc("none"), "--wire", wire, "--timeout", "100ms",
                                 stdin="x\n", code=4)
            self.assertIn("no peer within 100ms", err)
            _, err = self.busbar("pull", self.ipc("none"), "--wire", wire, "--timeout", "100ms", code=4)
            self.assertIn("no message for 100ms after 0 messages", err)

    def test_what_a_peer_does_not_take_is_counted(self):
        _, endpoint = self.bound(zmq.PULL, rcvhwm=1, rcvbuf=4096)
        lines = ("x" * (1 << 20) + "\n") * 40
        _, err = self.busbar("push", endpoint, "--wire", "plain", "--timeout", "200ms", stdin=lines,
                             code=4)
        self.assertRegex(err, r"push tcp://\S+: \d+ messages of 40 not handed to the system")

    def test_count_ends_both_ends(self):
        pull = self.start("pull", "--bind", "tcp://127.0.0.1:*", "--count", 2)
        self.busbar("push", pull.bound(), "--count", 2, stdin="a\nb\nc\nd\n")
        self.assertEqual(pull.lines(2), ["a", "b"])
        self.assertEqual(pull.exit_code(), 0)

    def test_progress_is_shown_where_it_is_asked_for(self):
        pull = self.start("pull", "--bind", "tcp://127.0.0.1:*", "--count", 3, "--progress")
        _, err = self.busbar("push", pull.bound(), "--progress", "--file",
                             self.file("three", "a\nb\nc\n"))
        self.assertIn("100 % 6 of 6", err)
        self.assertEqual(pull.exit_code(), 0)
        self.assertIn("100 % 3 of 3", pull.errors())

    def test_files_that_cannot_be_read_or_written_are_named(self):
        _, err = self.busbar("push", self.ipc("p"), "--file", self.path("none"), code=2)
        self.assertIn(self.path("none"), err)
        _, err = self.busbar("push", self.ipc("p"), "--file", self.folder, code=2)
        self.assertIn(f"open {self.folder}: Is a directory", err)
        _, err = self.busbar("pull", self.ipc("p"), "--file", self.path("no/where"), code=2)
        self.assertIn(self.path("no/where"), err)


class NothingToSend(StockCase):
    def test_who_has_nothing_to_send_waits_for_nobody(self):
        there = self.ipc("nobody")
        empty, peer = self.file("empty", ""), ("--beacon-port", 0, "--timeout", "10min")
        for args in (("pub", there, "--topic", "t"), ("pub", there, "--topic", "t", "--json"),
                     ("pub", there, "--topic", "t", "--bind", "--wait-subscribers", 1, "--stay", "10min"),
                     ("push", there), ("push", there, "--bind"), ("push", there, "--wire", "plain"),
                     ("push", there, "--file", empty), ("req", there), ("req", there, "--wire", "plain"),
                     ("call", "echo", "--connect", there), ("peer", "shout", "group", *peer),
                     ("peer", "whisper", "somebody", *peer)):
            with self.subTest(args):
                blank = "\n" if "--json" in args else ""
                timeout = () if "peer" in args else ("--timeout", "10min")
                out, _ = self.busbar(*args, *timeout, stdin=blank)
                self.assertEqual(out, "")

    def test_its_options_are_checked_all_the_same(self):
        there = self.ipc("nobody")
        for args in (("pub", there, "--topic", "t", "--server-key", "none"),
                     ("pub", there, "--topic", "a..b"), ("push", there, "--key", "none"),
                     ("req", "tcp://", ), ("req", there, "--file", self.path("none")),
                     ("call", "echo", "--connect", there, "--server-key", "none")):
            with self.subTest(args):
                self.busbar(*args, code=2)

    def test_a_bad_first_line_is_refused_before_anybody_is_there(self):
        self.busbar("push", self.ipc("nobody"), "--json", "--timeout", "10min", stdin="{\n", code=2)


class RequestReply(StockCase):
    def test_a_stock_req_is_answered(self):
        for args, reply in ((["--echo"], b"hello"), (["--reply", "fixed"], b"fixed"),
                            (["--command", "cat"], b"hello")):
            with self.subTest(args):
                rep = self.start("rep", "--bind", "tcp://127.0.0.1:*", *args)
                req = self.socket(zmq.REQ, rep.bound())
                for _ in range(3):
                    req.send(b"hello")
                    self.assertEqual(req.recv(), reply)
                rep.signal()
                self.assertEqual(rep.exit_code(), 0)

    def test_a_stock_rep_answers(self):
        rep, endpoint = self.bound(zmq.REP)
        req = self.start("req", endpoint, "--json")
        req.write('{"payload":"ask"}\n')
        self.assertEqual(rep.recv(), b"ask")
        rep.send(b"\xff")
        self.assertEqual(req.json(), {"payload": {"base64": "/w=="}})
        req.end_of_input()
        self.assertEqual(req.exit_code(), 0)

    def test_a_reply_that_does_not_come_is_4_and_names_the_line(self):
        _, endpoint = self.bound(zmq.REP)
        _, err = self.busbar("req", endpoint, "--timeout", "200ms", stdin="x\n", code=4)
        self.assertIn("no reply to line 1 within 200ms", err)

    def test_a_command_that_ends_is_told_to_stock_requesters_and_started_anew(self):
        for options in ((), ("--wire", "plain")):
            with self.subTest(options):
                rep = self.start("rep", "--bind", "tcp://127.0.0.1:*", *options, "--command",
                                 "read x; [ $x = bad ] || { echo $x; cat; }")
                req = self.socket(zmq.REQ, rep.bound())
                req.send(b"bad")
                reply = req.recv_multipart()
                self.assertEqual((reply[0], len(reply)), (b"", 2))
                self.assertIn(b"it has ended", reply[1])
                rep.says("it has ended")
                req.send(b"good")
                self.assertEqual(req.recv_multipart(), [b"good"])

    def test_a_long_line_goes_through_a_command_that_answers_meanwhile(self):
        rep = self.start("rep", "--bind", "tcp://127.0.0.1:*", "--command", "cat")
        req = self.socket(zmq.REQ, rep.bound())
        req.send(b"x" * (8 << 20))
        self.assertEqual(req.recv(), b"x" * (8 << 20))

    def test_its_timeout_is_kept_to_the_end(self):
        start = time.monotonic()
        _, err = self.busbar("rep", self.ipc("r"), "--echo", "--timeout", "1500ms", code=4)
        self.assertGreaterEqual(time.monotonic() - start, 1.5)
        self.assertIn("no queue or requester within 1500ms", err)

    def test_a_command_that_keeps_writing_does_not_hold_up_the_end(self):
        rep = self.start("rep", "--bind", "tcp://127.0.0.1:*", "--command", "yes")
        rep.bound()
        start = time.monotonic()
        rep.signal()
        self.assertEqual(rep.exit_code(), 0)
        self.assertLess(time.monotonic() - start, 5)

    def test_how_to_answer_must_be_said_once(self):
        self.busbar("rep", self.ipc("r"), code=2)
        self.busbar("rep", self.ipc("r"), "--echo", "--reply", "x", code=2)


class Descriptors(StockCase):
    def limited(self, soft, hard):
        """What a child sets for itself before it becomes busbar."""
        return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_the_soft_limit_is_raised_to_the_hard_one(self):
        rep = subprocess.Popen([BUSBAR, "rep", "--bind", "tcp://127.0.0.1:*", "--echo"],
                               stderr=subprocess.PIPE, preexec_fn=self.limited(100, 2000))
        self.addCleanup(rep.communicate)
        self.addCleanup(rep.kill)
        self.assertIn(b"bound to", rep.stderr.readline())
        self.assertEqual(resource.prlimit(rep.pid, resource.RLIMIT_NOFILE), (2000, 2000))

    def test_a_low_hard_limit_is_warned_of(self):
        done = subprocess.run([BUSBAR, "--version"], capture_output=True, text=True,
                              preexec_fn=self.limited(100, 512), timeout=20, check=True)
        self.assertIn("warning: only 512 files", done.stderr)
