"""The largest message passes every device, and the device does not keep copies of it."""

import hashlib
import os
import unittest

from support import SLOW, Case

SIZE = 64 << 20
BODY = os.urandom(1 << 20) * 64


def peak_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


class LargeMessage(Case):
    def check(self, device, received):
        self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(BODY).digest())
        peak = peak_memory(device.process.pid)
        print(f"{device.process.args[1]}: peak {peak / SIZE:.2f} times the message")
        if SLOW == 1:  # sanitizers keep freed memory
            self.assertLess(peak, 3 * SIZE)

    def test_through_a_streamer(self):
        device = self.device("streamer")
        pusher = self.socket("PUSH", device.frontend)
        puller = self.socket("PULL", device.backend)
        pusher.send(BODY, copy=False)
        self.check(device, puller.recv(copy=False).buffer)

    def test_through_a_forwarder(self):
        device = self.device("forwarder")
        publisher = self.socket("XPUB", device.frontend)
        subscriber = self.socket("SUB", device.backend, subscribe=b"big")
        self.assertEqual(publisher.recv(), b"\x01big")
        publisher.send_multipart([b"big", BODY], copy=False)
        self.assertEqual(subscriber.recv(), b"big")
        self.check(device, subscriber.recv(copy=False).buffer)

    def test_through_a_queue_proxy(self):
        device = self.device("queue")
        client = self.socket("REQ", device.frontend)
        server = self.socket("REP", device.backend)
        client.send(BODY, copy=False)
        self.check(device, server.recv(copy=False).buffer)
        server.send(b"ok")
        self.assertEqual(client.recv(), b"ok")

    def test_one_byte_more_is_refused_and_the_others_go_on(self):
        device = self.device("streamer")
        puller = self.socket("PULL", device.backend)
        bad = self.socket("PUSH", device.frontend)
        good = self.socket("PUSH", device.frontend)
        bad.send(BODY + b"!", copy=False)
        for i in range(100):
            good.send(b"%d" % i)
        self.assertEqual([puller.recv() for _ in range(100)], [b"%d" % i for i in range(100)])


if __name__ == "__main__":
    unittest.main()
