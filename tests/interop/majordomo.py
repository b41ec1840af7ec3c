"""Majordomo clients and workers as the RFCs have them, without a line of Busbar: MDP 0.1 (RFC 7) and
0.2 (RFC 18), for the tests of this folder."""

import time

import zmq

HEARTBEAT = 0.25


class Client:
    """One request at a time; 0.1 over REQ, 0.2 over DEALER."""

    def __init__(self, case, endpoint, version):
        self.old = version == "0.1"
        self.socket = case.socket("REQ" if self.old else "DEALER", connect=endpoint)

    def send(self, service, *body):
        head = [b"MDPC01"] if self.old else [b"MDPC02", b"\1"]
        self.socket.send_multipart([*head, service, *body])

    def receive(self):
        """The body's frames; partial ones are joined with the last."""
        body = []
        while True:
            frames = self.socket.recv_multipart()
            if self.old:
                assert frames[0] == b"MDPC01", frames
                return frames[2:]
            assert frames[0] == b"MDPC02" and frames[1] in (b"\2", b"\3"), frames
            body += frames[3:]
            if frames[1] == b"\3":
                return body

    def ask(self, service, *body):
        self.send(service, *body)
        return self.receive()


class Worker:
    """As a stock worker is: one thread, a heartbeat when it has nothing to do, a new socket on
    DISCONNECT or when the broker is silent for three heartbeats."""

    def __init__(self, case, endpoint, service, version):
        self.case = case
        self.endpoint = endpoint
        self.service = service
        self.old = version == "0.1"
        self.socket = None
        self.connections = 0
        self.connect()

    def command(self, name):
        codes = ("ready", "request", "final", "heartbeat", "disconnect") if self.old else (
            "ready", "request", "partial", "final", "heartbeat", "disconnect")
        return bytes([codes.index(name) + 1])

    def connect(self):
        if self.socket:
            self.socket.close(linger=0)
        self.socket = self.case.socket("DEALER", connect=self.endpoint)
        self.connections += 1
        self.tell("ready", self.service)
        self.heard = self.beaten = time.monotonic()

    def tell(self, command, *rest):
        head = [b"", b"MDPW01"] if self.old else [b"MDPW02"]
        self.socket.send_multipart([*head, self.command(command), *rest])

    def receive(self, seconds):
        """The client's address and the body's frames of the next request; None: none came."""
        deadline = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            if now - self.beaten > HEARTBEAT:
                self.tell("heartbeat")
                self.beaten = now
            if now - self.heard > 3 * HEARTBEAT:
                self.connect()
            if now > deadline:
                return None
            if not self.socket.poll(HEARTBEAT * 500):
                continue
            frames = self.socket.recv_multipart()
            self.heard = time.monotonic()
            frames = frames[2 if self.old else 1:]
            if frames[0] == self.command("disconnect"):
                self.connect()
            elif frames[0] == self.command("request"):
                assert frames[2] == b"", frames
                return frames[1], frames[3:]
            else:
                assert frames == [self.command("heartbeat")], frames

    def answer(self, address, *body, part=False):
        self.tell("partial" if part else "final", address, b"", *body)
