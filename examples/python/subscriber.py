#!/usr/bin/python3
"""Prints what Busbar publishers send: subscriber.py ENDPOINT [TOPIC PREFIX]."""
import sys

import msgpack
import zmq


def read(frame):
    """(topic, publisher, stream, sequence, headers, payload) of each message in a frame."""
    topic, signature, rest = frame.partition(b"\xc1")  # which no topic has
    if not signature:
        raise ValueError("no Busbar header")
    unpacker = msgpack.Unpacker(max_buffer_size=len(rest) + 1)
    unpacker.feed(rest)
    version, publisher, stream, sequence, _, batch, *more = unpacker.unpack()
    if version != 1:
        raise ValueError(f"version {version}")
    records = unpacker if batch else [[more[0] if more else {}, rest[unpacker.tell():]]]
    for number, record in enumerate(records, sequence):
        headers, payload = record if isinstance(record, list) else ({}, record)
        yield topic.decode(), publisher, stream, number, headers, payload


def main(endpoint, prefix=""):
    socket = zmq.Context().socket(zmq.SUB)
    socket.connect(endpoint)
    socket.subscribe(prefix)
    expected = {}
    while True:
        frame, *further = socket.recv_multipart()
        if frame[:1] == b"\xff" or further:  # what Busbar's own two ends say to each other
            continue
        for topic, publisher, stream, sequence, headers, payload in read(frame):
            due = expected.get((publisher, stream), sequence)
            if sequence > due:
                print("gap", topic, due, sequence - 1, flush=True)
            if sequence >= due:
                expected[publisher, stream] = sequence + 1
                print(topic, sequence, headers, payload, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
