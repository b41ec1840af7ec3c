#!/usr/bin/python3
"""Publishes lines to Busbar's and stock subscribers: publisher.py ENDPOINT TOPIC < LINES."""
import secrets
import sys
import time

import msgpack
import zmq

PUBLISHER = secrets.randbits(64) or 1  # another one after each start: so a restart is seen


def header(sequence, batch=0, headers=None):
    """The numbers let a subscriber see what it missed. One topic: one stream."""
    fields = [1, PUBLISHER, 1, sequence, time.time_ns() // 1000, batch]
    return b"\xc1" + msgpack.packb(fields + ([headers] if headers else []))


def main(endpoint, topic):
    socket = zmq.Context().socket(zmq.XPUB)
    socket.bind(endpoint)
    print("bound", socket.last_endpoint.decode(), flush=True)
    subscription = b""
    while subscription[:1] != b"\x01" or not topic.encode().startswith(subscription[1:]):
        subscription = socket.recv()  # the first subscriber misses nothing
    for sequence, line in enumerate(sys.stdin.buffer, 1):
        socket.send(topic.encode() + header(sequence) + line.rstrip(b"\n"))


if __name__ == "__main__":
    main(*sys.argv[1:])
