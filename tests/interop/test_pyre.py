"""Peers of Pyre (zeromq-pyre), which shares no code with ours: HELLO, JOIN, LEAVE, WHISPER, SHOUT both
ways. Pyre looks for networks other than loopback, so its beacons are told where to go."""

import json
import os
import subprocess
import tempfile
import unittest
import venv

from peers import Peer, free_udp_port
from support import Case, Child

# Where the test keeps what the machine does not have; filled once.
FOLDER = os.environ.get("BUSBAR_PACKAGES") or os.path.join(tempfile.gettempdir(), "busbar-packages")

PYRE = """
import ipaddress, json, sys, uuid
import zmq
from pyre import pyre, zbeacon

def on_loopback(self):
    self.address = "127.0.0.1"
    self.broadcast_address = ipaddress.ip_address("127.255.255.255")
    self.interface_name = "lo"
zbeacon.ZBeacon._prepare_socket = on_loopback

node = pyre.Pyre("pyre")
node.set_port(b"{port}")
node.set_header("role", "python")
node.join("all")
node.start()
print(json.dumps(["started", node.uuid().hex.upper()]), flush=True)
poller = zmq.Poller()
poller.register(node.socket(), zmq.POLLIN)
poller.register(sys.stdin, zmq.POLLIN)
while True:
    ready = dict(poller.poll())
    if node.socket() in ready:
        event = node.recv()
        words = [event[0].decode(), uuid.UUID(bytes=event[1]).hex.upper()]
        words += [part.decode("utf-8", "replace") for part in event[2:]]
        print(json.dumps(words), flush=True)
    if sys.stdin.fileno() in ready:
        line = sys.stdin.readline()
        if not line:
            break
        command, *rest = json.loads(line)
        if command == "whisper":
            node.whisper(uuid.UUID(rest[0]), rest[1].encode())
        elif command == "shout":
            node.shout(rest[0], rest[1].encode())
        else:
            getattr(node, command)(*rest)
node.stop()
"""


def python_with_pyre():
    """A Python that has it; skips where it cannot be had."""
    python = os.path.join(FOLDER, "bin", "python3")
    try:
        if not os.path.exists(python):
            venv.create(FOLDER, with_pip=True, system_site_packages=True)
        if subprocess.run([python, "-W", "ignore", "-c", "import pyre"], check=False,
                          capture_output=True).returncode != 0:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--retries", "0",
                            "--timeout", "10", "zeromq-pyre"],
                           check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", None) or str(error)).strip()
        raise unittest.SkipTest(f"zeromq-pyre cannot be had: {why[-300:]}") from None
    return python


class Pyre(Case):
    def test_a_node_of_pyre_and_a_peer_are_peers(self):
        port = free_udp_port()
        script = PYRE.format(port=port)
        pyre = Child("-W", "ignore", "-c", script, program=python_with_pyre(), talk=True)
        self.addCleanup(pyre.end)
        its_id = self.said(pyre, "started")[1]
        ours = Peer("ours", "--join", "all", "--header", "role=c++", port=port)
        self.addCleanup(ours.end)

        entered = ours.wait_event("enter", peer=its_id)
        self.assertEqual((entered["name"], entered["headers"]), ("pyre", {"role": "python"}))
        ours.wait_event("join", peer=its_id, group="all")
        event = self.said(pyre, "ENTER", ours.id)
        self.assertEqual(event[2], "ours")
        self.assertIn('"role": "c++"', event[3])
        self.assertEqual(event[4], ours.endpoint)
        self.assertEqual(self.said(pyre, "JOIN", ours.id)[3], "all")

        pyre.tell(f'["whisper", "{ours.id}", "to you"]')
        self.assertEqual(ours.wait_event("whisper", peer=its_id)["payload"], "to you")
        pyre.tell('["shout", "all", "to all"]')
        self.assertEqual(ours.wait_event("shout", group="all")["payload"], "to all")
        pyre.tell('["join", "more"]')
        ours.wait_event("join", group="more")
        pyre.tell('["leave", "more"]')
        ours.wait_event("leave", group="more")

        for kind, target in (("whisper", "pyre"), ("shout", "all")):
            talk = Child("peer", kind, target, "--name", f"{kind}er", "--beacon-port", str(port),
                         stdin=f"a {kind}\n")
            self.addCleanup(talk.end)
            self.assertEqual(talk.wait(), 0, talk.text())
            self.assertEqual(self.said(pyre, kind.upper(), None)[-1], f"a {kind}")
        pyre.tell('["stop"]')
        ours.wait_event("exit", peer=its_id)

    def said(self, pyre, *wanted):
        def fits(line):
            words = json.loads(line)
            return all(want in (None, word) for want, word in zip(wanted, words))
        return json.loads(pyre.wait_line("out", fits))


if __name__ == "__main__":
    unittest.main()
