#!/usr/bin/python3
"""Prints what Busbar publishers send: subscriber.py ENDPOINT [TOPIC PREFIX]."""
import sys

import msgpack
import zmq


def read(frames):
    """(publisher, stream, sequence, headers, payload) of each message in a ZeroMQ message."""
    _, header, payload = frames
    if header[:1] != b"\xbb":
        raise ValueError("no Busbar header")
    version, publisher, stream, sequence, _, batch, *rest = msgpack.unpackb(header[1:])
    if version != 1:
        raise ValueError(f"version {version}")
    records = [[rest[0] if rest else {}, payload]]
    if batch:
        records = msgpack.Unpacker(max_buffer_size=len(payload) + 1)
        records.feed(payload)
    for number, record in enumerate(records, sequence):
        headers, payload = record if isinstance(record, list) else ({}, record)
        yield publisher, stream, number, headers, payload


def main(endpoint, prefix=""):
    socket = zmq.Context().socket(zmq.SUB)
    socket.connect(endpoint)
    socket.subscribe(prefix)
    expected = {}
    while True:
        frames = socket.recv_multipart()
        if frames[0][:1] == b"\xff":  # what Busbar's own two ends say to each other
            continue
        for publisher, stream, sequence, headers, payload in read(frames):
            due = expected.get((publisher, stream), sequence)
            if sequence > due:
                print("gap", frames[0].decode(), due, sequence - 1, flush=True)
            if sequence >= due:
                expected[publisher, stream] = sequence + 1
                print(frames[0].decode(), sequence, headers, payload, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
