"""What pub, sub, push and pull have from the patterns: gaps, headers, credit, acknowledgements."""
import os
import signal
import time

import zmq

from support import StockCase, subscription_at

TCP = ("--bind", "tcp://127.0.0.1:*")


class Publishing(StockCase):
    def test_a_stock_subscriber_finds_the_payload_behind_the_header_and_plain_has_none(self):
        for wire in ("busbar", "plain"):
            with self.subTest(wire):
                sub, endpoint = self.bound(zmq.SUB, subscribe=b"t")
                self.start("pub", endpoint, "--topic", "t", "--wire", wire,
                           "--wait-subscribers", 1).write("x\n")
                message = sub.recv_multipart()
                if wire == "plain":
                    self.assertEqual(message, [b"t", b"x"])
                else:
                    [frame] = message
                    self.assertEqual((frame[:2], frame[41:]), (b"t\xc1", b"x"))

    def test_it_waits_for_subscribers_and_says_how_many_there_are(self):
        _, err = self.busbar("pub", *TCP, "--topic", "t", "--wait-subscribers", 1, "--timeout",
                             "100ms", code=4, stdin="x\n")
        self.assertIn("0 of 1 subscriber to 't' within 100ms", err)
        pub = self.start("pub", *TCP, "--topic", "t", "--wait-subscribers", 2, "--timeout", "20s")
        pub.write("x\n")
        pub.end_of_input()
        endpoint = pub.bound()
        subs = [self.start("sub", endpoint, "--topic", "t", "--count", 1) for _ in range(2)]
        self.assertEqual([sub.line() for sub in subs], ["x", "x"])
        self.assertEqual(pub.exit_code(), 0)

    def test_json_tells_origin_and_headers(self):
        pub = self.start("pub", *TCP, "--json", "--wait", "20s", "--header", "from=test", "--header",
                         "a=b=c")
        sub = self.start("sub", pub.bound(), "--json", "--prefix", "")
        pub.write('{"topic":"t","payload":"x"}\n'
                  '{"topic":"t","payload":"y","headers":{"own":{"base64":"/w=="}}}\n')
        one, two = sub.json(), sub.json()
        self.assertEqual((one["topic"], one["payload"], one["sequence"], two["sequence"]),
                         ("t", "x", 1, 2))
        self.assertEqual(one["headers"], {"from": "test", "a": "b=c"})
        self.assertEqual(two["headers"], {"from": "test", "a": "b=c", "own": {"base64": "/w=="}})
        self.assertEqual(one["publisher"], two["publisher"])
        self.assertRegex(one["publisher"], "^[0-9a-f]{16}$")
        self.assertGreater(one["time"], 1_600_000_000_000_000)

    def test_batches_are_read_as_they_were_published(self):
        lines = "".join(f"{i}\n" for i in range(100_000))
        pub = self.start("pub", *TCP, "--topic", "n", "--wait-subscribers", 1, "--timeout", "20s",
                         "--batch", "--file", self.file("lines", lines))
        out, err = self.busbar("sub", pub.bound(), "--count", 100_000, "--timeout", "10s")
        self.assertEqual((out, err), (lines, ""))
        self.assertEqual(pub.exit_code(), 0)

    def test_who_comes_late_gets_the_last_value(self):
        pub = self.start("pub", *TCP, "--with-topic", "--last-value", "--wait-subscribers", 1,
                         "--timeout", "20s")
        endpoint = pub.bound()
        early = self.start("sub", endpoint, "--with-topic")
        pub.write("a\t1\na\t2\nb\t3\n")
        self.assertEqual(early.lines(3), ["a\t1", "a\t2", "b\t3"])
        late = self.start("sub", endpoint, "--with-topic")
        self.assertEqual(set(late.lines(2)), {"a\t2", "b\t3"})
        pub.write("a\t4\n")
        self.assertEqual(late.line(), "a\t4")

    def stalled(self, *args):
        """A publisher of 200 MB, and a subscriber that reads one message and no more."""
        pub = self.start("pub", *TCP, "--topic", "t", "--wait-subscribers", 1, "--file",
                         self.file("lines", ("x" * 100_000 + "\n") * 2000), *args)
        sub = self.socket(zmq.SUB, subscribe=b"t", rcvhwm=1, rcvbuf=4096)
        sub.connect(pub.bound())
        sub.recv_multipart()
        return pub

    def has_read(self, process, name):
        """How many bytes of that file."""
        folder = f"/proc/{process.process.pid}"
        for number in os.listdir(f"{folder}/fd"):
            if os.readlink(f"{folder}/fd/{number}") == self.path(name):
                with open(f"{folder}/fdinfo/{number}", encoding="ascii") as info:
                    return int(info.readline().split()[1])
        return 0

    def test_what_is_dropped_for_a_slow_subscriber_is_said(self):
        pub = self.stalled("--slow", "drop", "--timeout", "2s")
        self.assertEqual(pub.exit_code(), 4)
        self.assertRegex(pub.errors(), r"\d+ of 2000 messages dropped for slow subscribers")
        self.assertRegex(pub.errors(), r"dropped \d+ of topic 't'")
        self.assertIn("messages handed to ZeroMQ, and not all of it read", pub.errors())

    def test_a_blocked_publisher_ends_and_says_what_is_not_sent(self):
        pub = self.stalled("--timeout", "4s")
        # Far more than a subscriber holds that does not read.
        self.eventually(lambda: self.has_read(pub, "lines") > 90_000_000, "90 MB are published")
        begun = time.monotonic()
        pub.signal(signal.SIGINT)
        self.assertEqual(pub.exit_code(), 4)
        self.assertLess(time.monotonic() - begun, 7.9)  # not so long for each thing to wait for
        # Either it was blocked when it saw the signal, or not yet.
        self.assertRegex(pub.errors(), r"(\d+ messages? of \d+ not|\d+ messages) handed to ZeroMQ, .*; "
                         r"a peer does not read; nothing sent from \S+:\d+ on \(let it read")

    def test_a_publisher_that_waits_in_vain_at_its_end_says_for_whom(self):
        pub = self.stalled("--timeout", "1s", "--count", 3)
        self.assertEqual(pub.exit_code(), 4)
        self.assertIn("3 messages handed to ZeroMQ, and not all of it read; a peer does not read (let it read",
                      pub.errors())

    def test_a_stalled_subscriber_may_be_cut_off(self):
        pub = self.stalled("--slow", "disconnect", "--timeout", "2s")
        self.assertIn("disconnected", pub.says("slow subscriber"))

    def test_what_plain_cannot_carry_is_refused(self):
        for more in (["--batch"], ["--last-value"], ["--name", "n"], ["--header", "a=b"]):
            _, err = self.busbar("pub", *TCP, "--topic", "t", "--wire", "plain", *more, code=2)
            self.assertIn(f"--wire plain knows no {more[0]}", err)
        _, err = self.busbar("pub", *TCP, "--topic", "t", "--header", "x", code=2)
        self.assertIn("write NAME=VALUE", err)


class Subscribing(StockCase):
    def test_a_gap_is_told_in_a_line(self):
        pub = self.start("pub", *TCP, "--topic", "t", "--wait-subscribers", 1, "--timeout", "20s")
        recorder = self.socket(zmq.SUB, pub.bound(), subscribe=b"t")
        pub.write("1\n2\n3\n4\n")
        sent = [recorder.recv_multipart() for _ in range(4)]
        replay, endpoint = self.bound(zmq.XPUB)
        sub = self.start("sub", endpoint, "--topic", "t")
        while subscription_at(replay) != b"\1t":
            pass
        for message in (sent[0], sent[3]):
            replay.send_multipart(message)
        self.assertEqual(sub.lines(2), ["1", "4"])
        self.assertRegex(sub.says("gap"),
                         "gap: publisher [0-9a-f]{16}, topic 't', from 2 to 3, cause not_kept")

    def test_a_broken_header_is_counted(self):
        pub, endpoint = self.bound(zmq.XPUB)
        sub = self.start("sub", endpoint, "--count", 1)
        self.assertEqual(subscription_at(pub), b"\1")
        pub.send(b"t\xc1\x96x")
        pub.send_multipart([b"t", b"good"])
        self.assertEqual(sub.line(), "good")
        self.assertEqual(sub.exit_code(), 0)
        self.assertIn("1 message with a broken header or batch", sub.errors())


class Working(StockCase):
    def test_what_plain_has_no_place_for_is_refused(self):
        for command, more in (("push", ["--ack"]), ("push", ["--batch"]), ("push", ["--attempts", 3]),
                              ("push", ["--header", "a=b"]), ("pull", ["--credit", 3])):
            with self.subTest(more):
                _, err = self.busbar(command, *TCP, "--wire", "plain", *more, code=2)
                self.assertIn(f"--wire plain knows no {more[0]}", err)
                self.assertIn(f"leave out --wire plain, or {more[0]}", err)
        pull, endpoint = self.bound(zmq.PULL)
        _, err = self.busbar("push", endpoint, "--wire", "plain", "--no-ack", "--no-batch", "--json",
                             code=2, stdin='{"payload":"x"}\n{"payload":"y","headers":{"a":"b"}}\n')
        self.assertIn("read line 2: --wire plain carries no headers", err)
        self.assertEqual(pull.recv(), b"x")

    def test_all_is_acknowledged_before_push_ends(self):
        lines = "".join(f"{i}\n" for i in range(20_000))
        for more in ([], ["--no-batch"], ["--no-ack"]):
            with self.subTest(more):
                pull = self.start("pull", *TCP, "--credit", 500, "--file", self.path("out"))
                self.busbar("push", pull.bound(), *more, stdin=lines)
                with open(self.path("out"), encoding="ascii") as out:
                    self.assertEqual(out.read(), lines)

    def test_what_a_puller_had_not_written_goes_to_another(self):
        push = self.start("push", *TCP, "--no-batch")
        endpoint = push.bound()
        stuck = self.start("pull", endpoint, "--credit", 3)
        stuck.signal(signal.SIGSTOP)
        push.write("a\nb\nc\n")
        push.end_of_input()
        helper = self.start("pull", endpoint, "--json")
        stuck.process.kill()
        self.assertEqual({helper.json()["payload"] for _ in range(3)}, {"a", "b", "c"})
        self.assertEqual(push.exit_code(), 0)

    def test_credit_is_what_a_puller_that_is_stuck_withholds_from_others(self):
        push = self.start("push", *TCP, "--no-batch")
        endpoint = push.bound()
        stuck = self.start("pull", endpoint, "--credit", 2)
        push.write("0\n")
        self.assertEqual(stuck.line(), "0")
        stuck.signal(signal.SIGSTOP)
        push.write("".join(f"{i}\n" for i in range(1, 11)))
        push.end_of_input()
        helper = self.start("pull", endpoint)
        # At least 8 of them, as the stuck one has no room for more than 2.
        first = helper.lines(8)
        stuck.process.kill()
        # What the killed one had not answered for comes again, "0" perhaps among it.
        done = set(first)
        while not done >= {str(i) for i in range(1, 11)}:
            done.update(helper.lines(1))
        self.assertEqual(push.exit_code(), 0)

    def test_what_failed_is_tried_again_as_often_as_attempts_says(self):
        push = self.start("push", *TCP, "--attempts", 5)
        endpoint = push.bound()
        push.write("x\n")
        self.busbar("pull", endpoint, "--file", "/dev/full", code=5)
        last = self.start("pull", endpoint, "--json")
        tried = last.json()
        self.assertEqual(tried["payload"], "x")
        # What was on its way to the one that ended has been tried there as well.
        self.assertIn(tried["attempt"], (2, 3))
        push.write("y\n")
        self.assertEqual(last.json(), {"payload": "y"})
        push.end_of_input()
        self.assertEqual(push.exit_code(), 0)

    def test_who_cannot_write_is_not_bound(self):
        kept = self.file("kept", "before\n")
        for command in (["pull"], ["pull", "--wire", "plain"], ["sub"]):
            _, err = self.busbar(*command, *TCP, "--file", self.path("no/such/folder"), code=2)
            self.assertNotIn("bound", err)
            self.assertIn("name a file to write", err)
            # Who cannot bind leaves the file as it was.
            busy = self.start("pull", *TCP)
            self.busbar(*command, busy.bound(), "--bind", "--file", kept, code=3)
            with open(kept, encoding="ascii") as file:
                self.assertEqual(file.read(), "before\n")

    def test_headers_and_attempts_are_told(self):
        push = self.start("push", *TCP, "--header", "from=test", "--json")
        endpoint = push.bound()
        pull = self.start("pull", endpoint, "--json")
        push.write('{"payload":"x","headers":{"own":"y"}}\n')
        self.assertEqual(pull.json(), {"payload": "x", "headers": {"from": "test", "own": "y"}})

    def test_what_kills_every_puller_is_given_up_and_counted(self):
        push = self.start("push", *TCP, "--attempts", 1)
        # Whoever writes to a full disk ends without an acknowledgement.
        push.write("poison\n")
        push.end_of_input()
        self.busbar("pull", push.bound(), "--file", "/dev/full", code=5)
        self.assertEqual(push.exit_code(), 4)
        self.assertIn("given up: 'poison'", push.errors())
        self.assertIn("1 message of 1 not done, 1 given up", push.errors())

    def test_what_nobody_does_in_time_is_counted(self):
        push = self.start("push", *TCP, "--timeout", "500ms")
        pull = self.start("pull", push.bound())
        push.write("x\n")
        self.assertEqual(pull.line(), "x")
        pull.signal(signal.SIGKILL)
        push.write("y\n")
        push.end_of_input()
        self.assertEqual(push.exit_code(), 4)
        # Whether the first was acknowledged when its puller was killed is not known.
        self.assertRegex(push.errors(), r"[12] messages? of 2 not done")

    def test_why_nobody_is_there_decides_the_exit_code(self):
        device = self.device("streamer")  # without --credit
        for args in (("push", device.frontend), ("pull", device.backend)):
            _, err = self.busbar(*args, "--timeout", "5s", stdin="x\n", code=5)
            self.assertIn("its --wire", err)
        nowhere = "tcp://no.such.host.invalid:5555"
        for command, *more in (("push",), ("pull",), ("sub",), ("pub", "--topic", "t")):
            _, err = self.busbar(command, nowhere, *more, "--timeout", "3s", stdin="x\n", code=3)
            self.assertIn("cannot resolve 'no.such.host.invalid'", err)

    def test_another_kind_of_socket_is_called_so(self):
        pull = self.start("pull", *TCP)
        endpoint = pull.bound()
        for args in (("sub", endpoint), ("push", endpoint, "--wire", "plain")):
            with self.subTest(args):
                _, err = self.busbar(*args, "--timeout", "1s", stdin="x\n", code=5)
                self.assertIn("another kind of socket", err)
        pull.says("another kind of socket")

    def test_plain_ends_speak_to_stock_ones(self):
        stock, endpoint = self.bound(zmq.PULL)
        self.busbar("push", endpoint, "--wire", "plain", stdin="x\n")
        self.assertEqual(stock.recv_multipart(), [b"x"])
        stock, endpoint = self.bound(zmq.PUSH)
        pull = self.start("pull", endpoint, "--wire", "plain", "--json", "--count", 1)
        stock.send_multipart([b"a", b"b"])
        self.assertEqual(pull.json(), {"frames": ["a"], "payload": "b"})

    def test_a_streamer_with_credit_carries_it_through(self):
        device = self.device("streamer", "--credit")
        pull = self.start("pull", device.backend)
        self.busbar("push", device.frontend, stdin="a\nb\n")
        self.assertEqual(pull.lines(2), ["a", "b"])
