"""Idle, paused or blocked, a device uses no CPU to speak of, and stops at once."""

import glob
import json
import signal
import time
import unittest

import zmq

from support import SLOW, Case, run

WINDOW = 2.0  # seconds that are measured


def cpu_seconds(pid):
    """Of all threads, to the nanosecond: schedstat's first figure."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class IdleAndStop(Case):
    def flood(self, socket, message):
        """Sends until nothing goes any more."""
        socket.sndtimeo = 200
        try:
            for _ in range(1000000):
                socket.send_multipart(message)
        except zmq.Again:
            return
        self.fail("it never blocked")

    def block(self, kind, device):
        """Behind the device is a peer that is connected and never reads."""
        body = bytes(10000)
        behind = {"forwarder": "SUB", "streamer": "PULL", "queue": "DEALER"}[kind]
        options = {"subscribe": b""} if kind == "forwarder" else {}
        self.slow = self.socket(behind, device.backend, rcvhwm=1, **options)
        if kind == "forwarder":
            publisher = self.socket("XPUB", device.frontend, xpub_nodrop=1)
            self.assertEqual(publisher.recv(), b"\x01")
            self.flood(publisher, [b"t", body])
        elif kind == "streamer":
            self.flood(self.socket("PUSH", device.frontend), [body])
        else:
            self.flood(self.socket("DEALER", device.frontend), [b"", body])
        held = device.wait_ledger(lambda l: l["backend"]["held"] > 0)
        self.assertEqual(held["backend"]["held"], 1)
        self.assertTrue(held["reconciles"])

    def prepare(self, kind, state):
        options = ["--overflow", "block"] if state == "blocked" and kind == "forwarder" else []
        device = self.device(kind, *options)
        if state == "paused":
            code, _, err = run("pause", device.control)
            self.assertEqual(code, 0, err)
            device.wait_ledger(lambda l: l["state"] == "paused")
        elif state == "blocked":
            self.block(kind, device)
        elif state == "no peer" and kind != "forwarder":
            front = self.socket("PUSH" if kind == "streamer" else "DEALER", device.frontend)
            self.flood(front, [b"", bytes(10000)])
        return device

    def measure(self, kind, state):
        """(share of a core, seconds from the request to stop until the process has ended)"""
        device = self.prepare(kind, state)
        asker = self.socket("REQ", device.control)
        asker.send_multipart([b"BUSBAR-CTL/1", b"status", b""])
        self.assertEqual(asker.recv_multipart()[1], b"200")

        used = cpu_seconds(device.process.pid)
        time.sleep(WINDOW)
        used = (cpu_seconds(device.process.pid) - used) / WINDOW

        start = time.monotonic()
        asker.send_multipart([b"BUSBAR-CTL/1", b"stop", b""])
        self.assertEqual(asker.recv_multipart()[1], b"200")
        answered = time.monotonic() - start
        self.assertEqual(device.wait(), 0, device.text())
        took = time.monotonic() - start
        print(f"{kind} {state}: {used:.2%} of a core, stop answered after "
              f"{answered * 1e3:.0f} ms, process ended after {took * 1e3:.0f} ms")
        return used, took

    def test_under_one_percent_of_a_core_and_stopped_within_100_ms(self):
        for kind in ("forwarder", "streamer", "queue"):
            for state in ("idle", "paused", "no peer", "blocked"):
                with self.subTest(f"{kind} {state}"):
                    # Up to three tries: a stop may have to wait for what else runs on the machine,
                    # and what the kernel still makes room for comes after the device seems blocked.
                    for _ in range(3):
                        used, took = self.measure(kind, state)
                        if used < 0.01 * SLOW and took < 0.1 * SLOW:
                            break
                    self.assertLess(used, 0.01 * SLOW)
                    self.assertLess(took, 0.1 * SLOW)

    def test_a_signal_ends_an_idle_device_with_0(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            device = self.device("forwarder")
            device.kill(how)
            self.assertEqual(device.wait(), 0, device.text())

    def test_a_signal_drains_and_nothing_accepted_is_lost(self):
        device = self.device("streamer")
        pusher = self.socket("PUSH", device.frontend)
        puller = self.socket("PULL", device.backend, rcvhwm=1)
        for i in range(500):
            pusher.send(b"%d" % i)
        device.wait_ledger(lambda l: l["frontend"]["received"] > 0)
        device.kill(signal.SIGTERM)
        device.wait_log("draining")
        got = []
        while puller.poll(2000):
            got.append(puller.recv())
        self.assertEqual(device.wait(), 0, device.text())
        device.wait_log("received")
        ledger = json.loads(
            device.wait_line("out", lambda line: '"stopped"' in line))["ledger"]
        self.assertEqual(ledger["frontend"]["received"], ledger["backend"]["sent"])
        self.assertEqual(got, [b"%d" % i for i in range(ledger["backend"]["sent"])])


if __name__ == "__main__":
    unittest.main()
