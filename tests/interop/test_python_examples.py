"""The Python examples, which share no code with Busbar: the test vectors, and against ours."""

import os
import sys
import unittest

import msgpack

from patterns import Publisher, Subscriber
from support import ANY, Case, Child

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "../../examples/python")
VECTORS = os.path.join(HERE, "../vectors/pubsub.txt")
sys.path.insert(0, EXAMPLES)
import publisher  # noqa: E402
import subscriber  # noqa: E402


def vectors():
    """Each as a list of (key, value)."""
    with open(VECTORS, encoding="utf-8") as file:
        text = "".join(line for line in file if not line.startswith("#"))
    for block in text.strip("\n").split("\n\n"):
        yield [tuple(line.partition(" ")[::2]) for line in block.split("\n")]


def records(vector):
    """(headers, payload) of each message."""
    found = []
    for key, value in vector:
        if key == "record":
            found.append(({}, bytes.fromhex(value)))
        if key == "header":
            name, _, text = value.partition(" ")
            found[-1][0][name] = text
    return found


class Vectors(unittest.TestCase):
    def test_the_decoder_reads_every_message(self):
        read = 0
        for vector in vectors():
            fields = dict(vector)
            if not fields["kind"].startswith("message"):
                continue
            with self.subTest(fields["name"]):
                frame = bytes.fromhex(fields["frame"])
                first = int(fields["sequence"])
                wanted = [(fields["topic"], int(fields["publisher"]), int(fields["stream"]),
                           first + i, *record)
                          for i, record in enumerate(records(vector))]
                self.assertEqual(list(subscriber.read(frame)), wanted)
                read += 1
        self.assertGreater(read, 5)

    def test_the_decoder_refuses_what_is_cut_off_or_of_another_version(self):
        for vector in vectors():
            fields = dict(vector)
            if fields["kind"] == "refused_header" and fields["name"] in (
                    "nothing", "no signature", "cut off", "version 2", "an array of 2^32 - 1"):
                with self.subTest(fields["name"]), self.assertRaises(
                        (ValueError, msgpack.UnpackException)):
                    list(subscriber.read(b"t" + bytes.fromhex(fields["frame"])))


class Examples(Case):
    def example(self, name, *arguments, **named):
        child = Child(os.path.join(EXAMPLES, name), *arguments, program=sys.executable, **named)
        self.addCleanup(child.end)
        return child

    def side(self, kind, *arguments):
        child = kind(*arguments)
        self.addCleanup(child.end)
        return child

    def test_our_subscriber_reads_the_publisher_direct_and_through_a_forwarder(self):
        sender = self.example("publisher.py", ANY, "py.lines", stdin="one\ntwo\nthree\n")
        bound = sender.wait_line("out", lambda line: line.startswith("bound ")).split()[1]
        hub = self.device("forwarder", "--frontend-connect", bound, frontend=None)
        ours = self.side(Subscriber, hub.backend, "py.>", "print")
        for sequence, payload in enumerate(("one", "two", "three"), 1):
            ours.wait_line("out", f"message py.lines {sequence} {payload}".__eq__)
        self.assertEqual(sender.wait(), 0)

    def test_our_subscriber_tells_what_the_publisher_left_out(self):
        socket = self.socket("XPUB", bind=ANY)
        ours = self.side(Subscriber, socket.last_endpoint.decode(), "t", "print")
        while socket.recv() != b"\x01t":
            pass
        for sequence, batch, payload in ((1, 0, b"one"), (5, 0, b"five"),
                                         (6, 2, msgpack.packb(b"six") + msgpack.packb(b"seven"))):
            socket.send(b"t" + publisher.header(sequence, batch) + payload)
        ours.wait_line("out", "message t 7 seven".__eq__)
        self.assertEqual(ours.lines(), ["message t 1 one", "gap t 2 4 not_kept", "message t 5 five",
                                        "message t 6 six", "message t 7 seven"])

    def test_the_subscriber_reads_ours_batched_or_not_and_tells_gaps(self):
        for batch in ((), ("batch",)):
            ours = self.side(Publisher, "bind", ANY, "t.x", *batch)
            reader = self.example("subscriber.py", ours.endpoint, "t.")
            ours.ask("wait 1", "waited")
            for i in range(1, 301):
                ours.tell(f"publish {i}")
            reader.wait_line("out", "t.x 300 {} b'300'".__eq__)
            self.assertEqual(reader.lines(), [f"t.x {i} {{}} b'{i}'" for i in range(1, 301)])

        socket = self.socket("XPUB", bind=ANY)
        reader = self.example("subscriber.py", socket.last_endpoint.decode())
        self.assertEqual(socket.recv(), b"\x01")
        socket.send_multipart([b"\xffH", b"of no concern"])
        for sequence in (7, 9, 9):
            socket.send(b"t" + publisher.header(sequence, 0, {"h": "v"}) + b"x")
        reader.wait_line("out", "t 9 {'h': 'v'} b'x'".__eq__)
        self.assertEqual(reader.lines(), ["t 7 {'h': 'v'} b'x'", "gap t 8 8", "t 9 {'h': 'v'} b'x'"])


if __name__ == "__main__":
    unittest.main()
