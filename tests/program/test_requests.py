"""What req and rep have from the patterns: many at a time, deadlines, errors that arrive, failover."""
import json
import os
import signal
import subprocess
import time

import zmq

from support import BUSBAR, StockCase

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
        there = rep.bound()
        for _ in range(2):
            _, err = self.busbar("req", there, stdin="x\n", code=5)
            self.assertIn("line 1: it failed: ", err)
            self.assertIn("it has ended", err)

    def test_nobody_there_is_4(self):
        _, err = self.busbar("req", self.ipc("nobody"), "--timeout", "100ms", stdin="x\n", code=4)
        self.assertIn("no peer within 100ms", err)

    def test_a_service_of_peers_is_refused_where_no_peer_could_find_it(self):
        for command in (("req", "peer://prices"), ("sub", "peer://prices"),
                        ("queue", "--frontend", self.ipc("q"), "--backend-connect", "peer://prices")):
            _, err = self.busbar(*command, code=2)
            self.assertIn("peer://prices: this command has no peer that could find it", err)
            self.assertIn("busbar peer find prices", err)

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

    def test_what_a_signal_leaves_unanswered_is_4_with_its_line(self):
        for wire in ("busbar", "plain"):
            with self.subTest(wire):
                rep, endpoint = self.bound(zmq.REP)
                req = self.start("req", endpoint, "--wire", wire, "--timeout", "10min")
                req.write("x\ny\n")
                self.assertEqual(rep.recv(), b"x")
                req.signal(signal.SIGINT)
                self.assertEqual(req.exit_code(), 4)
                self.assertIn("ended by a signal; no reply to line 1 and what follows", req.errors())
        rep, endpoint = self.bound(zmq.REP)
        req = self.start("req", endpoint, "--timeout", "10min")
        req.write("x\n")
        self.assertEqual(rep.recv(), b"x")
        rep.send(b"y")
        self.assertEqual(req.line(), "y")
        req.signal(signal.SIGINT)  # nothing is left behind
        self.assertEqual((req.exit_code(), req.errors()), (0, ""))

    def test_a_call_that_a_signal_ends_is_4(self):
        broker = self.socket(zmq.ROUTER)
        broker.bind("tcp://127.0.0.1:*")
        call = self.start("call", "s", "--connect", broker.last_endpoint.decode(), "--timeout", "10min")
        call.write("x\n")
        self.assertEqual(broker.recv_multipart()[-1], b"x")
        call.signal(signal.SIGINT)
        self.assertEqual(call.exit_code(), 4)
        self.assertIn("no reply to line 1 and what follows", call.errors())

    def test_many_calls_at_a_time_are_answered_in_order(self):
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        worker = self.socket(zmq.DEALER, broker)
        worker.send_multipart([b"MDPW02", b"\1", b"s"])
        workers = [worker, self.socket(zmq.DEALER, broker)]
        workers[1].send_multipart([b"MDPW02", b"\1", b"s"])
        call = self.start("call", "s", "--connect", broker, "--concurrency", 2)
        call.write("a\nb\n")
        asked = {}
        for worker in workers:  # both have one before any is answered
            message = worker.recv_multipart()
            while message[1] != b"\2":
                message = worker.recv_multipart()
            asked[message[-1]] = (worker, message[2])
        for line in (b"b", b"a"):
            worker, client = asked[line]
            worker.send_multipart([b"MDPW02", b"\4", client, b"", line])
        self.assertEqual(call.lines(2), ["a", "b"])
        call.end_of_input()
        self.assertEqual(call.exit_code(), 0)

    def test_many_calls_go_through_few_workers(self):
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        self.start("rep", broker, "--service", "echo", "--echo", "--threads", 3)
        lines = "".join(f"{i}\n" for i in range(500))
        out, err = self.busbar("call", "echo", "--connect", broker, "--concurrency", 20, stdin=lines)
        self.assertEqual((out, err), (lines, ""))

    def test_a_signal_ends_all_calls_that_are_under_way(self):
        broker = self.socket(zmq.ROUTER)
        broker.bind("tcp://127.0.0.1:*")
        call = self.start("call", "s", "--connect", broker.last_endpoint.decode(), "--timeout", "10min",
                          "--concurrency", 3)
        call.write("x\ny\n")
        for _ in range(2):
            broker.recv_multipart()
        call.signal(signal.SIGINT)
        self.assertEqual(call.exit_code(), 4)
        self.assertIn("no reply to line 1 and what follows", call.errors())

    def test_who_reads_no_replies_is_5_with_the_line(self):
        there = self.start("rep", *TCP, "--echo").bound()
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        self.start("rep", broker, "--service", "echo", "--echo")
        for args in (("req", there), ("req", there, "--wire", "plain"),
                     ("call", "echo", "--connect", broker)):
            with self.subTest(args):
                with subprocess.Popen([BUSBAR, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) as req:
                    req.stdin.write(b"a\n")
                    req.stdin.flush()
                    self.assertEqual(req.stdout.readline(), b"a\n")
                    req.stdout.close()
                    req.stdin.write(b"b\nc\n")
                    req.stdin.flush()
                    self.assertEqual(req.wait(20), 5)
                    self.assertIn(b"nobody reads what it writes; no reply to line 2 and what follows",
                                  req.stderr.read())

    def test_a_connection_that_is_lost_is_3(self):
        rep = self.start("rep", *TCP, "--command", "read x; echo $x; cat > /dev/null")
        req = self.start("req", rep.bound())
        req.write("x\ny\n")
        self.assertEqual(req.line(), "x")
        rep.signal(signal.SIGKILL)
        self.assertEqual(req.exit_code(), 3)
        self.assertRegex(req.errors(), r"line 2: (the connection was lost.*\(.* --idempotent\)|no server is there)")

    def test_a_time_of_nothing_and_keys_without_a_place_are_refused(self):
        for args in (("req", self.ipc("r")), ("call", "s", "--connect", self.ipc("r"))):
            with self.subTest(args):
                _, err = self.busbar(*args, "--timeout", "0s", code=2)
                self.assertIn("--timeout: no reply comes in no time", err)
        rep = self.start("rep", *TCP, "--echo")
        _, err = self.busbar("req", rep.bound(), "--json", stdin='{"payload":"x","topic":"t"}\n', code=2)
        self.assertIn('line 1: there is no place for "topic"', err)

    def test_the_remedy_for_a_line_is_one_that_is_taken(self):
        there = self.start("rep", *TCP, "--echo").bound()
        for args in (("req", there), ("call", "s", "--connect", self.ipc("b"))):
            with self.subTest(args):
                _, err = self.busbar(*args, "--json", stdin="{}\n", code=2)
                self.assertIn('has no "payload" (write {"payload":"text"})', err)

    def test_options_are_refused_by_their_names(self):
        there = self.ipc("r")
        for args, said in ((("req", there, "--timeout", "200ms", "--timeout", 5), "--timeout may be given once only"),
                           (("push", there, "--no-ack", "--attempts", 3), "--no-ack tries each line once"),
                           (("call", "", "--connect", there), "the service's name is empty"),
                           (("services", "--bind", there, "--expiry", "1s"), "raise expiry, or lower heartbeat (--expiry TIME"),
                           (("queue", "--frontend", there, "--backend", self.ipc("q"), "--strategy", "ready",
                             "--heartbeat", "1min"), "or lower heartbeat (--expiry TIME, --heartbeat TIME)"),
                           (("peer", "--beacon-interval", "0s"), "--beacon-interval: that is no time"),
                           (("peer", "--evasive-after", "0s"), "--evasive-after: that is no time"),
                           (("peer", "--expire-after", "5s"), "--expire-after: it is not longer than --evasive-after"),
                           (("peer", "--bind", "inproc://p"), "--bind inproc://p: inproc does not leave"),
                           (("peer", "join", "--whole"), "peer join: it knows no --whole (leave out --whole; it is for "
                             "whisper, shout)"),
                           (("peer", "list", "--count", 3), "peer list: it knows no --count"),
                           (("req", there, "--method", "m" * 241), "has more than 240 bytes (give a shorter name)"),
                           (("req", "tcp://127.0.0.1:0"), "connect tcp://127.0.0.1:0: no address to connect to"),
                           (("req", there, "--timeout", "99h"), "--timeout: '99h' is above a day (write "),
                           (("req", there, "--timeout", "99d"), "--timeout: '99d' is no length of time"),
                           (("peer", "find", ""), "it takes one name behind it")):
            with self.subTest(args):
                self.assertIn(said, self.busbar(*args, code=2)[1])

    def test_a_closed_input_is_called_so(self):
        rep = self.start("rep", *TCP, "--echo")
        done = subprocess.run(f"exec {BUSBAR} req {rep.bound()} <&-", shell=True, text=True,
                              capture_output=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("standard input is closed", done.stderr)

    def test_a_folder_as_input_is_called_so(self):
        for command in ("push", "req"):
            folder = os.open(self.folder, os.O_RDONLY)
            done = subprocess.run([BUSBAR, command, self.ipc("p")], stdin=folder, text=True,
                                  capture_output=True, timeout=20, check=False)
            os.close(folder)
            self.assertEqual(done.returncode, 2)
            self.assertIn("read stdin: Is a directory (", done.stderr)

    def test_a_file_keeps_what_it_had_where_nothing_comes(self):
        file = self.file("kept", "precious\n")
        self.busbar("sub", self.ipc("nobody"), "--timeout", "50ms", "--file", file, code=4)
        with open(file, encoding="ascii") as kept:
            self.assertEqual(kept.read(), "precious\n")

    def test_a_command_that_answers_with_several_lines_is_refused(self):
        rep = self.start("rep", *TCP, "--command", r"while read x; do printf '1\n2\n'; done")
        there = rep.bound()
        for _ in range(2):
            _, err = self.busbar("req", there, stdin="x\n", code=5)
            self.assertIn("it wrote more than one line for a request", err)
        rep.signal()
        self.assertEqual(rep.exit_code(), 0)

    def test_a_command_that_hangs_beyond_a_deadline_is_started_anew(self):
        rep = self.start("rep", *TCP, "--timeout", "10min", "--command",
                         "read x; [ $x = hang ] && sleep 600; echo $x; cat")
        there = rep.bound()
        self.busbar("req", there, "--timeout", "2s", stdin="hang\n", code=4)
        out, _ = self.busbar("req", there, "--timeout", "20s", stdin="x\ny\n")
        self.assertEqual(out, "x\ny\n")
        rep.says("no answer within 5s")

    def test_a_command_that_ended_in_between_fails_no_request(self):
        told = self.path("told")
        os.mkfifo(told)
        rep = self.start("rep", *TCP, "--command", f"echo $$ > {told}; exec cat")
        req = self.start("req", rep.bound())
        for line in ("x", "y"):
            req.write(line + "\n")
            with open(told, encoding="ascii") as number:
                command = int(number.read())
            self.assertEqual(req.line(), line)
            os.kill(command, signal.SIGKILL)
            self.eventually(lambda: self.state_of(command) == "Z", "it ends")
        rep.says("it has ended")

    @staticmethod
    def state_of(process):
        with open(f"/proc/{process}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def test_what_cannot_be_given_as_one_line_or_frame_is_refused(self):
        for args in (("--command", "cat"), ("--echo",)):
            with self.subTest(args):
                rep = self.start("rep", *TCP, *args)
                req = self.socket(zmq.REQ, rep.bound())
                req.send_multipart([b"a", b"b\nc"])
                self.assertRegex(req.recv_multipart()[-1], b"several (lines|frames), ")
                rep.says("refused a request of several ")
                req.send(b"d")  # and serves on
                self.assertEqual(req.recv(), b"d")

    def test_a_command_sees_all_frames_of_a_stock_requester(self):
        rep = self.start("rep", *TCP, "--command", "cat", "--json", "--count", 1)
        req = self.socket(zmq.REQ, rep.bound())
        req.send_multipart([b"a", b"b"])
        self.assertEqual(req.recv(), b"b")
        self.assertEqual(rep.exit_code(), 0)

    def test_a_request_that_is_being_answered_is_no_silence(self):
        rep = self.start("rep", *TCP, "--command", "read x; sleep 1; echo $x", "--timeout", "300ms")
        out, _ = self.busbar("req", rep.bound(), stdin="x\n")
        self.assertEqual(out, "x\n")
        self.assertEqual(rep.exit_code(), 4)
        self.assertIn("no request in time", rep.errors())

    def test_what_is_left_unanswered_at_the_end_is_4(self):
        begun = self.path("begun")
        os.mkfifo(begun)
        rep = self.start("rep", *TCP, "--command", f"read x; echo > {begun}; sleep 2; echo $x")
        req = self.start("req", rep.bound())
        req.write("x\n")
        with open(begun, encoding="ascii") as told:
            told.read()
        rep.signal(signal.SIGTERM)
        self.assertEqual(rep.exit_code(), 4)
        self.assertIn("1 request unanswered at the end", rep.errors())

    def test_what_a_command_has_started_ends_with_it(self):
        for options in ((), ("--wire", "plain")):
            for signals in ((signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)):
                with self.subTest(options=options, signals=signals):
                    held = self.path(f"held{len(options)}{len(signals)}")
                    os.mkfifo(held)
                    rep = self.start("rep", *TCP, *options, "--command",
                                     f"read x; exec 3> {held}; echo begun >&3; sleep 60; echo $x")
                    req = self.socket(zmq.REQ, rep.bound())
                    req.send(b"x")
                    with open(held, encoding="ascii") as told:
                        self.assertEqual(told.readline(), "begun\n")
                        begun = time.monotonic()
                        for number in signals:
                            rep.signal(number)
                        self.assertEqual(told.read(), "")  # nobody has it open any more
                    self.assertEqual(rep.exit_code(), 4)
                    self.assertLess(time.monotonic() - begun, 4.5)  # its patience is 5 s

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

    def test_a_service_whose_command_fails_answers_nobody_and_serves_on(self):
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        rep = self.start("rep", broker, "--service", "s", "--threads", 3, "--command",
                         "read x; [ $x = bad ] || { echo $x; cat; }")
        for _ in range(4):  # more than it has threads
            self.busbar("call", "s", "--connect", broker, "--timeout", "200ms", stdin="bad\n", code=4)
            rep.says("it has ended")
        out, _ = self.busbar("call", "s", "--connect", broker, stdin="good\n")
        self.assertEqual(out, "good\n")

    def test_a_service_that_no_broker_takes_says_why(self):
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json").json()["frontend"][0]
        for name in ("ours", "theirs"):
            self.busbar("keygen", self.path(name))
        _, err = self.busbar("rep", broker, "--service", "s", "--echo", "--timeout", "1s", "--key",
                             self.path("ours"), "--server-key", self.path("theirs.pub"), code=5)
        self.assertIn("the handshake failed", err)

    def test_what_a_service_cannot_do_is_refused(self):
        for options, word in ((("--bind",), "--bind"), (("--wire", "plain"), "--wire plain")):
            _, err = self.busbar("rep", self.ipc("b"), "--echo", "--service", "s", *options, code=2)
            self.assertIn(word, err)
        _, err = self.busbar("rep", self.ipc("b"), "--echo", "--mdp", "0.1", code=2)
        self.assertIn("--service", err)

    def test_threads_that_cannot_be_made_are_an_error(self):
        def limited(args):
            return subprocess.run(f"ulimit -v 600000; exec {BUSBAR} {args}", shell=True, text=True,
                                  capture_output=True, timeout=20, check=False)

        if limited("--version").returncode != 0:
            self.skipTest("a build with sanitizers needs more address space than the limit")
        for args in ("--bind tcp://127.0.0.1:*", f"{self.ipc('none')} --service s"):
            with self.subTest(args):
                done = limited(f"rep {args} --echo --threads 1000")
                self.assertEqual(done.returncode, 5, done.stderr)
                self.assertRegex(done.stderr, "busbar: error: .*threads")


class NobodyThere(StockCase):
    WAYS = ((("--service", "s"), "broker"), ((), "queue or requester"),
            (("--wire", "plain"), "queue or requester"))

    def test_rep_says_once_what_it_waits_for(self):
        for args, what in self.WAYS:
            with self.subTest(args):
                rep = self.start("rep", self.ipc("none"), "--echo", *args)
                rep.says(f"warning: rep {self.ipc('none')}: no {what} yet; waiting for it")
                rep.signal()
                self.assertEqual((rep.exit_code(), rep.errors().count("\n")), (0, 1))

    def test_rep_says_at_its_timeout_that_none_came(self):
        for args, what in self.WAYS:
            with self.subTest(args):
                _, err = self.busbar("rep", self.ipc("none"), "--echo", "--timeout", "100ms", *args, code=4)
                self.assertIn(f"no {what} within 100ms (start it, or give a longer --timeout)", err)

    def test_what_is_there_and_does_not_ask_is_not_missed(self):
        broker = self.start("services", *TCP, "--json").json()["frontend"][0]
        for args, there in ((("--service", "s"), broker), ((), self.device("queue").backend),
                            (("--wire", "plain"), self.device("queue").backend)):
            with self.subTest(args):
                _, err = self.busbar("rep", there, "--echo", "--timeout", "1500ms", *args, code=4)
                self.assertNotIn("warning", err)
                self.assertIn("no request in time (is anybody asking?", err)
