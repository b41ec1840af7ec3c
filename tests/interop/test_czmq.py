"""Beacons of czmq, both ways. czmq sends to 255.255.255.255 where it finds no network but loopback,
so the test goes into a network namespace of its own that routes this there."""

import os
import subprocess
import sys
import unittest

from peers import ByHand, Peer, free_udp_port
from support import TIMEOUT, Case, Child

BEACON = os.environ.get("BUSBAR_CZMQ_BEACON", "")
INSIDE = "BUSBAR_IN_NAMESPACE"
NAMESPACE = ("unshare", "--map-root-user", "--net", "sh", "-c",
             'ip link set lo up && ip route add 255.255.255.255 dev lo src 127.0.0.1 && '
             'exec "$@"', "sh")


class Czmq(Case):
    def test_beacons_in_a_namespace(self):
        if INSIDE in os.environ:
            return
        if not os.path.exists(BEACON):
            raise unittest.SkipTest("czmq is not installed (libczmq-dev)")
        try:
            subprocess.run([*NAMESPACE, "true"], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise unittest.SkipTest(f"no network namespace can be made here: {error}") from None
        done = subprocess.run(
            [*NAMESPACE, sys.executable, "-B", "-W", "ignore", "-m", "unittest",
             "test_czmq.InNamespace"],
            env={**os.environ, INSIDE: "1", "ZSYS_INTERFACE": "*"}, capture_output=True, text=True,
            timeout=4 * TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("skipped", done.stderr)


@unittest.skipUnless(INSIDE in os.environ, "runs in the namespace that Czmq makes")
class InNamespace(Case):
    def test_czmq_hears_our_beacons_and_we_hear_its(self):
        port = free_udp_port()
        node = ByHand(self.context, None)
        self.addCleanup(node.close)
        czmq = Child(str(port), node.beacon().hex(), program=BEACON)
        self.addCleanup(czmq.end)
        czmq.wait_line("out", lambda line: line.startswith("host"))
        peer = Peer("ours", port=port)
        self.addCleanup(peer.end)
        at = int(peer.endpoint.rsplit(":", 1)[1])
        beacon = "5A524501" + peer.id
        self.assertTrue(czmq.wait_line("out", lambda line: line == f"127.0.0.1 {beacon}{at:04X}"))
        who, greeting = node.inbox.recv_multipart()
        self.assertEqual(who, b"\x01" + bytes.fromhex(peer.id))
        self.assertTrue(greeting.startswith(b"\xaa\xa1\1\2\0\1"))
        peer.kill(15)
        czmq.wait_line("out", lambda line: line == f"127.0.0.1 {beacon}0000")


if __name__ == "__main__":
    unittest.main()
