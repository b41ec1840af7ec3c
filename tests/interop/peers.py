"""`busbar peer` as a child, a free UDP port for its beacons, and ZRE by hand."""

import json
import socket
import struct
import uuid

import zmq

from support import Child


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer(Child):
    """`busbar peer join`: its events are lines, of JSON unless told otherwise."""

    def __init__(self, name, *arguments, port=0, json=True):
        super().__init__("peer", "--name", name, "--beacon-port", str(port),
                         *(("--json",) if json else ()), *arguments)
        said = self.wait_log("peer '", " at tcp://").split()
        self.id, self.endpoint = said[-3], said[-1]

    def wait_event(self, kind, since=0, **wanted):
        def fits(text):
            event = json.loads(text)
            return event["event"] == kind and all(event.get(k) == v for k, v in wanted.items())
        return json.loads(self.wait_line("out", fits, since))

    def events(self, kind, **wanted):
        events = [json.loads(line) for line in self.lines()]
        return [event for event in events
                if event["event"] == kind and all(event.get(k) == v for k, v in wanted.items())]

    def known(self):
        """The ids of those who have entered and not left."""
        known = set()
        for event in map(json.loads, self.lines()):
            if event["event"] == "enter":
                known.add(event["peer"])
            elif event["event"] == "exit":
                known.discard(event["peer"])
        return known

    def wait_known(self, ids):
        self.wait_line("out", lambda _: self.known() == ids)


def string(text):
    return bytes([len(text)]) + text.encode()


def long_string(text):
    return struct.pack(">I", len(text)) + text.encode()


def frame(command, sequence, fields=b""):
    return b"\xaa\xa1" + bytes([command, 2]) + struct.pack(">H", sequence) + fields


def hello(endpoint, name, groups=(), headers=()):
    fields = string(endpoint) + struct.pack(">I", len(groups))
    fields += b"".join(map(long_string, groups)) + b"\0" + string(name)
    fields += struct.pack(">I", len(headers))
    return frame(1, 1, fields + b"".join(string(k) + long_string(v) for k, v in headers))


class ByHand:
    """A node of ZRE that shares no code with ours."""

    def __init__(self, context, endpoint):
        self.id = uuid.uuid4().bytes
        self.inbox = context.socket(zmq.ROUTER)
        self.inbox.linger = 0
        self.inbox.rcvtimeo = 15000
        self.port = self.inbox.bind_to_random_port("tcp://127.0.0.1")
        self.dealer = context.socket(zmq.DEALER)
        self.dealer.linger = 0
        self.dealer.identity = b"\x01" + self.id
        if endpoint:
            self.dealer.connect(endpoint)

    def beacon(self, port=None):
        return b"ZRE\x01" + self.id + struct.pack(">H", self.port if port is None else port)

    def close(self):
        self.inbox.close()
        self.dealer.close()
