"""Garbage on every port of every device: it is refused and counted, and a good peer goes on."""

import random
import socket
import struct
import unittest

import zmq

from support import TIMEOUT, Case

GREETING_3 = (b"\xff" + bytes(7) + b"\x01\x7f" + b"\x03\x00" + b"NULL" + bytes(16) + b"\x00"
              + bytes(31))
GREETING_2 = b"\xff" + bytes(7) + b"\x01\x7f" + b"\x01" + b"\x08" + b"\x00\x00"
SEED = random.randrange(1 << 32)


def ready(kind):
    body = b"\x05READY"
    for name, value in ((b"Socket-Type", kind), (b"Identity", b"")):
        body += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return b"\x04" + bytes([len(body)]) + body


HANDSHAKE = None  # stands for a proper one


def garbage(kind):
    """(name, what to send…)"""
    chance = random.Random(SEED)
    yield "nothing", b""
    yield "random bytes", chance.randbytes(4096)
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: example\r\n\r\n" * 4
    yield "TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(507)
    yield "half a greeting", GREETING_3[:32]
    yield "greeting, then random bytes", GREETING_3 + chance.randbytes(512)
    yield "ZMTP 1.0", b"\x01\x00" + b"\x06\x00hello" * 3
    yield "ZMTP 2.0", GREETING_2 + b"\x00\x05hello" * 3
    yield "2^63 bytes", HANDSHAKE, b"\x02" + struct.pack(">Q", 1 << 63)
    yield "2^64-1 bytes", HANDSHAKE, b"\x02" + struct.pack(">Q", (1 << 64) - 1)
    yield "64 MiB and one", HANDSHAKE, b"\x02" + struct.pack(">Q", (64 << 20) + 1)
    yield "unknown command", HANDSHAKE, b"\x04\x05\x04NOPE"
    yield "half a message", HANDSHAKE, b"\x01\x04half"
    yield "READY and a message at once", GREETING_3 + ready(kind) + b"\x00\x04rash"
    yield "READY twice", GREETING_3 + ready(kind) + ready(kind)
    yield "wrong socket type", GREETING_3 + ready(b"PAIR")
    yield "READY that lies about its length", GREETING_3 + b"\x04\x20\x05READY\xff\xff\xff"


def connect(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    raw = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def throw(raw, data):
    """Sends what the other side takes; being cut off is a fine answer."""
    try:
        raw.sendall(data)
    except OSError:
        pass


def shake_hands(raw, kind):
    """As a stock peer does: what follows is sent only when the other side is READY."""
    raw.sendall(GREETING_3 + ready(kind))
    answer = b""
    while b"READY" not in answer:
        part = raw.recv(4096)
        if not part:
            raise AssertionError(f"cut off in the handshake, after {answer!r}")
        answer += part


def was_cut_off(raw):
    try:
        while raw.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except OSError:
        return True


class Garbage(Case):
    # kind: what connects in front, what connects behind
    SHAPES = {"forwarder": (b"PUB", b"SUB"), "streamer": (b"PUSH", b"PULL"),
              "queue": (b"DEALER", b"REP")}

    def good_pair(self, kind, device):
        """A function that passes one message, whole, from one good peer to the other."""
        front, back = (name.decode() for name in self.SHAPES[kind])
        self.passed = 0
        if kind == "forwarder":
            # An XPUB hears when the subscription is there, so that every message counts.
            sender = self.socket("XPUB", device.frontend)
            receiver = self.socket(back, device.backend, subscribe=b"")
            self.assertEqual(sender.recv(), b"\x01")
        else:
            sender = self.socket(front, device.frontend)
            receiver = self.socket(back, device.backend)

        def pass_one():
            self.passed += 1
            text = b"good %d" % self.passed
            sender.send_multipart([b"", text])
            if kind == "queue":
                self.assertEqual(receiver.recv_multipart(), [text])
                receiver.send(text)
                self.assertEqual(sender.recv_multipart(), [b"", text])
            else:
                self.assertEqual(receiver.recv_multipart(), [b"", text])

        return pass_one

    def test_on_every_port_while_a_good_peer_goes_on(self):
        for kind, (front, back) in self.SHAPES.items():
            device = self.device(kind, "--tap", "tcp://127.0.0.1:*")
            pass_one = self.good_pair(kind, device)
            ports = {"frontend": (device.frontend, front), "backend": (device.backend, back),
                     "control": (device.control, b"REQ"), "tap": (device.tap, b"SUB")}
            thrown = []
            for port, (endpoint, wanted) in ports.items():
                for name, *parts in garbage(wanted):
                    # Whoever has shaken hands behind a device is a worker, and is dealt messages.
                    worker = port == "backend" and (HANDSHAKE in parts or name == "READY twice")
                    if port == "backend" and ("message" in name or name == "unknown command"):
                        continue  # libzmq does not cut it off
                    with self.subTest(f"{kind} {port}: {name}", seed=SEED):
                        raw = connect(endpoint)
                        self.addCleanup(raw.close)
                        for part in parts:
                            if part is HANDSHAKE:
                                shake_hands(raw, wanted)
                            else:
                                throw(raw, part)
                        if worker:
                            self.assertTrue(was_cut_off(raw))
                        thrown.append(raw)
                        pass_one()
            for raw in thrown:
                raw.close()
            pass_one()
            ledger = device.ledger()
            with self.subTest(f"{kind}: nothing of it was taken for a message", seed=SEED):
                self.assertEqual(ledger["frontend"]["received"], self.passed)
                self.assertEqual(ledger["backend"]["sent"], self.passed)
                self.assertTrue(ledger["reconciles"])
            self.assertIsNone(device.process.poll(), "the device has ended")

    def test_a_frame_that_announces_2_to_the_63_is_cut_off_without_memory(self):
        device = self.device("streamer")
        raw = connect(device.frontend)
        self.addCleanup(raw.close)
        shake_hands(raw, b"PUSH")
        throw(raw, b"\x02" + struct.pack(">Q", 1 << 63))
        self.assertTrue(was_cut_off(raw))

    def test_a_peer_that_sends_a_byte_at_a_time_is_served(self):
        device = self.device("streamer")
        puller = self.socket("PULL", device.backend)
        raw = connect(device.frontend)
        self.addCleanup(raw.close)
        for byte in GREETING_3 + ready(b"PUSH"):
            raw.sendall(bytes([byte]))
        while b"READY" not in raw.recv(4096):
            pass
        for byte in b"\x01\x04slow" + b"\x00\x04peer":
            raw.sendall(bytes([byte]))
        self.assertEqual(puller.recv_multipart(), [b"slow", b"peer"])

    def test_old_protocols_are_refused_as_their_peers_cannot_be_admitted_by_name(self):
        device = self.device("streamer")
        puller = self.socket("PULL", device.backend)
        for data in (b"\x01\x00\x06\x00hello", GREETING_2 + b"\x00\x05hello"):
            raw = connect(device.frontend)
            self.addCleanup(raw.close)
            throw(raw, data)
        pusher = self.socket("PUSH", device.frontend)
        pusher.send(b"good")
        self.assertEqual(puller.recv(), b"good")
        self.assertEqual(device.ledger()["frontend"]["received"], 1)

    def test_messages_of_100000_parts_are_counted_and_the_next_one_arrives(self):
        for kind in self.SHAPES:
            with self.subTest(kind):
                device = self.device(kind)
                pass_one = self.good_pair(kind, device)
                pass_one()
                bad = self.socket("XPUB" if kind == "forwarder" else
                                  self.SHAPES[kind][0].decode(), device.frontend)
                if kind == "forwarder":
                    self.assertEqual(bad.recv(), b"\x01")
                bad.send_multipart([b""] * 100000)
                ledger = device.wait_ledger(
                    lambda l: l["frontend"]["causes"].get("too_many_frames") == 1)
                pass_one()
                ledger = device.ledger()
                self.assertEqual(ledger["backend"]["sent"], self.passed)
                self.assertTrue(ledger["reconciles"])


class ControlMessages(Case):
    def test_bad_control_messages_get_a_reason_and_good_ones_an_answer(self):
        device = self.device("streamer")
        asker = self.socket("DEALER", device.control)
        bad = {b"400": [[b"x"], [b"BUSBAR-CTL/1"], [b"BUSBAR-CTL/1", b"drain", b"-1"],
                        [b"BUSBAR-CTL/1", b"status", b"5"],
                        [b"BUSBAR-CTL/1", b"stop", b"5"],
                        [b"BUSBAR-CTL/2", b"status", b""], [b""] * 60],
               b"405": [[b"BUSBAR-CTL/1", b"\xff\x00 explode", b""]]}
        for code, messages in bad.items():
            for message in messages:
                with self.subTest(message=message[:4]):
                    asker.send_multipart([b"", *message])
                    reply = asker.recv_multipart()
                    self.assertEqual(reply[:3], [b"", b"BUSBAR-CTL/1", code])
                    self.assertTrue(reply[3].decode("utf-8").isprintable())
        asker.send_multipart([b"", b"BUSBAR-CTL/1", b"status", b""])
        self.assertEqual(asker.recv_multipart()[2], b"200")

    def test_no_envelope_and_too_many_parts_do_no_harm(self):
        device = self.device("queue")
        asker = self.socket("DEALER", device.control)
        asker.send_multipart([b"no", b"envelope"])
        asker.send_multipart([b""] * 100000)
        self.assertEqual(device.ledger()["state"], "running")


if __name__ == "__main__":
    unittest.main()
