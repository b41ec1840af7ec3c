"""Stock Majordomo clients and workers through `busbar services`, and stock pirates through `busbar
queue --strategy ready`; with SIGKILL and SIGSTOP of workers and broker in mid-request."""

import json
import multiprocessing
import os
import signal
import time
import unittest

import zmq

from majordomo import Client, Worker
from support import TIMEOUT, Case, run, status


class Scene:
    """What a Case gives to Majordomo's peers, in a process of its own."""

    def __init__(self):
        self.context = zmq.Context()

    def socket(self, kind, connect):
        socket = self.context.socket(getattr(zmq, kind))
        socket.linger = 0
        socket.connect(connect)
        return socket


def work(endpoint, service, version, hang):
    """Echoes with its process id in front; where it is told so it never answers."""
    worker = Worker(Scene(), endpoint, service, version)
    while True:
        request = worker.receive(3600)
        if request and hang and request[1] == [b"hang"]:
            signal.pause()  # one that went on could register anew, and be free
        if request:
            worker.answer(request[0], b"%d" % os.getpid(), *request[1])


def pirate(endpoint, paranoid):
    """A worker of a ready queue: PPP over DEALER, or Simple Pirate over REQ."""
    socket = Scene().socket("DEALER" if paranoid else "REQ", endpoint)
    socket.send(b"\1")
    while True:
        if paranoid and not socket.poll(100):
            socket.send(b"\2")
            continue
        frames = socket.recv_multipart()
        if frames != [b"\2"]:
            socket.send_multipart([*frames[:2], b"%d" % os.getpid(), *frames[2:]])


class ServicesCase(Case):
    def services(self, *arguments, **named):
        return self.device("services", "--heartbeat", "100ms", "--expiry", "1s", *arguments,
                           frontend=None, backend=None, **named)

    def process(self, target, *arguments):
        process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
        process.start()
        self.addCleanup(process.join)
        self.addCleanup(process.kill)
        return process

    def started(self, *arguments):
        device = self.services("--bind", "tcp://127.0.0.1:*", *arguments)
        return device, device.frontend

    def wait_served(self, endpoint, service, wanted=b"200"):
        client = Client(self, endpoint, "0.2")
        deadline = time.monotonic() + TIMEOUT
        while client.ask(b"mmi.service", service) != [wanted]:
            self.assertLess(time.monotonic(), deadline, "the service is not " + wanted.decode())

    def ask_again(self, endpoint, version, service, *body):
        """As a client does that must not lose its request: again, with a new socket."""
        for _ in range(60):
            client = Client(self, endpoint, version)
            client.socket.rcvtimeo = 500
            try:
                return client.ask(service, *body)
            except zmq.Again:
                client.socket.close(linger=0)
        raise AssertionError("no answer")


class Services(ServicesCase):
    def test_clients_and_workers_of_both_versions_are_mixed(self):
        device, endpoint = self.started()
        for version in ("0.1", "0.2"):
            worker = Worker(self, endpoint, b"w" + version.encode(), version)
            for asking in ("0.1", "0.2"):
                client = Client(self, endpoint, asking)
                client.send(worker.service, b"hello", b"")
                address, body = worker.receive(TIMEOUT)
                self.assertEqual(body, [b"hello", b""])
                if version == "0.2":
                    worker.answer(address, b"part", part=True)
                worker.answer(address, *reversed(body))
                wanted = [b"part"] if version == "0.2" else []
                self.assertEqual(client.receive(), [*wanted, b"", b"hello"])
        ledger = device.ledger()
        self.assertTrue(ledger["reconciles"])
        self.assertEqual({one["topic"] for one in ledger["topics"]}, {"w0.1", "w0.2"})

    def test_a_worker_that_is_killed_is_replaced(self):
        device, endpoint = self.started()
        for version in ("0.1", "0.2"):
            service = b"echo" + version.encode()
            first = self.process(work, endpoint, service, version, True)
            self.wait_served(endpoint, service)
            busy = Client(self, endpoint, "0.2")
            busy.send(service, b"hang")
            device.wait_ledger(lambda ledger, name=service.decode(): any(
                one["topic"] == name for one in ledger["topics"]))
            second = self.process(work, endpoint, service, version, False)
            self.assertEqual(self.ask_again(endpoint, version, service, b"x"),
                             [b"%d" % second.pid, b"x"])
            first.kill()
            second.kill()
            self.wait_served(endpoint, service, b"404")

    def test_a_worker_that_is_stopped_loses_its_place_and_gets_it_back(self):
        _, endpoint = self.started()
        worker = self.process(work, endpoint, b"echo", "0.2", False)
        self.wait_served(endpoint, b"echo")
        os.kill(worker.pid, signal.SIGSTOP)
        self.wait_served(endpoint, b"echo", b"404")
        os.kill(worker.pid, signal.SIGCONT)
        self.wait_served(endpoint, b"echo")
        self.assertEqual(self.ask_again(endpoint, "0.1", b"echo", b"x"),
                         [b"%d" % worker.pid, b"x"])

    def test_workers_come_back_to_a_broker_that_was_killed(self):
        address = self.ipc("services")
        device = self.services("--bind", address)
        workers = [self.process(work, address, b"echo", version, False)
                   for version in ("0.1", "0.2")]
        self.assertEqual(self.ask_again(address, "0.2", b"echo", b"1")[1:], [b"1"])
        device.kill()
        device.wait()
        self.services("--bind", address)
        answered = set()
        deadline = time.monotonic() + TIMEOUT
        while len(answered) < 2:
            self.assertLess(time.monotonic(), deadline, f"only {answered} came back")
            answered.add(self.ask_again(address, "0.2", b"echo", b"2")[0])
        self.assertEqual(answered, {b"%d" % worker.pid for worker in workers})

    def test_a_broker_that_is_stopped_for_a_while_goes_on(self):
        device, endpoint = self.started()
        self.process(work, endpoint, b"echo", "0.2", False)
        self.wait_served(endpoint, b"echo")
        device.kill(signal.SIGSTOP)
        client = Client(self, endpoint, "0.1")
        client.send(b"echo", b"x")
        self.assertEqual(client.socket.poll(1500), 0)
        device.kill(signal.SIGCONT)
        # That one may have been handed to the worker's old connection, which was given up meanwhile.
        self.assertEqual(self.ask_again(endpoint, "0.1", b"echo", b"y")[1:], [b"y"])

    def test_requests_are_held_within_their_bound(self):
        device, endpoint = self.started("--hold", "5")
        client = Client(self, endpoint, "0.2")
        for i in range(8):
            client.send(b"later", b"%d" % i)
        device.wait_ledger(lambda ledger: ledger["backend"]["causes"].get("overflow") == 3)
        worker = Worker(self, endpoint, b"later", "0.1")
        for i in range(5):
            address, body = worker.receive(TIMEOUT)
            self.assertEqual(body, [b"%d" % i])
            worker.answer(address, *body)
            self.assertEqual(client.receive(), body)
        self.assertTrue(device.ledger()["reconciles"])

    def test_lines_are_called_and_written(self):
        _, endpoint = self.started()
        worker = self.process(work, endpoint, b"echo", "0.1", False)
        self.wait_served(endpoint, b"echo")
        for version in ("0.1", "0.2"):
            code, out, err = run("call", "echo", "--connect", endpoint, "--mdp", version,
                                 stdin="one\ntwo\n")
            self.assertEqual((code, out, err), (0, "one\ntwo\n", ""))
        code, out, _ = run("call", "echo", "--connect", endpoint, "--json",
                           stdin='{"payload":"one"}\n')
        self.assertEqual(json.loads(out), {"frames": [str(worker.pid)], "payload": "one"})
        code, out, err = run("call", "nobody", "--connect", endpoint, "--timeout", "200ms",
                             stdin="one\n")
        self.assertEqual((code, out), (4, ""))
        self.assertIn("no reply to line 1 within 200ms", err)

    def test_a_call_that_waits_ends_with_a_signal(self):
        device, endpoint = self.started()
        call = self.child("call", "nobody", "--connect", endpoint, "--timeout", "1h", stdin="one\n")
        device.wait_ledger(lambda ledger: ledger["backend"]["held"] == 1)
        call.kill(signal.SIGINT)
        self.assertEqual(call.wait(), 4)
        self.assertIn("no reply to line 1 and what follows", call.text())

    def test_a_call_says_why_it_has_no_reply(self):
        nobody = self.ipc("nobody")
        code, out, err = run("call", "echo", "--connect", nobody, "--timeout", "100ms", stdin="one\n")
        self.assertEqual((code, out), (4, ""))
        self.assertIn("no broker for line 1 within 100ms", err)
        device, endpoint = self.started()
        call = self.child("call", "none", "--connect", nobody, "--connect", endpoint, "--timeout", "1h",
                          stdin="one\n")
        device.wait_ledger(lambda ledger: ledger["backend"]["held"] == 1)
        device.kill()
        self.assertEqual(call.wait(), 3)
        self.assertIn("line 1: the connection to the broker was lost", call.text())

    def test_an_answer_in_parts_is_written_whole_or_its_end(self):
        _, endpoint = self.started()
        worker = Worker(self, endpoint, b"list", "0.2")
        for options, wanted in (((), "z"), (("--whole",), "abz")):
            call = self.child("call", "list", "--connect", endpoint, *options, stdin="one\n")
            address, body = worker.receive(TIMEOUT)
            worker.answer(address, b"a", b"b", part=True)
            worker.answer(address, b"z")
            self.assertEqual(call.wait(), 0)
            self.assertEqual(call.text(), wanted)

    def test_a_topology_runs_services(self):
        file = self.path("site.toml", '[devices.names]\nkind = "services"\n'
                         'frontend = { bind = "ipc://%s/names" }\n'
                         'control = "ipc://%s/control"\n' % (self.folder, self.folder))
        self.assertEqual(self.child("check", file).wait(), 0)
        site = self.child("run", file)
        worker = Worker(self, self.ipc("names"), b"echo", "0.2")
        client = Client(self, self.ipc("names"), "0.1")
        client.send(b"echo", b"x")
        address, body = worker.receive(TIMEOUT)
        worker.answer(address, *body)
        self.assertEqual(client.receive(), [b"x"])
        self.assertEqual(status(self.ipc("control"))[0]["kind"], "services")
        site.kill(signal.SIGTERM)
        self.assertEqual(site.wait(), 0)


class Pirates(ServicesCase):
    def ready_queue(self):
        return self.device("queue", "--strategy", "ready", "--heartbeat", "100ms", "--expiry", "1s")

    def ask_queue(self, endpoint, body):
        for _ in range(60):
            client = self.socket("REQ", connect=endpoint)
            client.rcvtimeo = 500
            client.send(body)
            try:
                return client.recv_multipart()
            except zmq.Again:
                client.close(linger=0)
        raise AssertionError("no answer")

    def test_pirates_are_served_killed_and_stopped(self):
        for paranoid in (True, False):
            device = self.ready_queue()
            first = self.process(pirate, device.backend, paranoid)
            self.assertEqual(self.ask_queue(device.frontend, b"1"), [b"%d" % first.pid, b"1"])
            first.kill()
            second = self.process(pirate, device.backend, paranoid)
            self.assertEqual(self.ask_queue(device.frontend, b"2"), [b"%d" % second.pid, b"2"])
            if paranoid:
                os.kill(second.pid, signal.SIGSTOP)
                third = self.process(pirate, device.backend, paranoid)
                self.assertEqual(self.ask_queue(device.frontend, b"3"), [b"%d" % third.pid, b"3"])
                os.kill(second.pid, signal.SIGCONT)
            ledger = device.ledger()
            self.assertTrue(ledger["reconciles"], json.dumps(ledger))


if __name__ == "__main__":
    unittest.main()
