"""Peers in processes of their own: they find each other, and notice who leaves, dies or stops."""

import random
import shutil
import signal
import socket
import subprocess
import time
import unittest

from peers import ByHand, Peer, frame, free_udp_port, hello, string
from support import BUSBAR, SLOW, TIMEOUT, Case, run

SEED = random.randrange(1 << 32)
QUICK = ("--evasive-after", f"{int(500 * SLOW)}ms", "--expire-after", f"{int(2000 * SLOW)}ms")

NO_NETWORK = 77
TWO_MACHINES = f"""
up() {{ ip link set lo up && ip addr add "$2" brd + dev "$1" && ip link set "$1" up; }}
ip link add here0 type veth peer name there0 && up here0 10.77.0.1/24 || exit {NO_NETWORK}
export -f up
coproc there {{ exec unshare -n bash -c '
  echo $$; read -r && up there0 10.77.0.2/24 || exit
  echo 21.5 | exec "$0" peer shout all --name there --interface there0 --insecure' "$0"; }}
read -r other <&"${{there[0]}}"
ip link set there0 netns "$other" || exit {NO_NETWORK}
echo go >&"${{there[1]}}"
exec "$0" peer join all --interface here0 --insecure --count 2 --timeout 20s
"""


class Peers(Case):
    def peer(self, name, *arguments, port=0, json=True):
        peer = Peer(name, *arguments, port=port, json=json)
        self.addCleanup(peer.end)
        return peer

    def by_hand(self, endpoint=None):
        node = ByHand(self.context, endpoint)
        self.addCleanup(node.close)
        return node

    def test_who_is_killed_is_evasive_and_then_gone_and_who_ends_is_gone_at_once(self):
        port = free_udp_port()
        peers = [self.peer(name, *QUICK, port=port) for name in "abcd"]
        for one in peers:
            for other in peers:
                if one is not other:
                    one.wait_event("enter", peer=other.id)
        killed, ended, *left = peers
        ended.kill(signal.SIGTERM)
        self.assertEqual(ended.wait(), 0)
        before = time.monotonic()
        for one in left:
            one.wait_event("exit", peer=ended.id)
        self.assertLess(time.monotonic() - before, 2 * SLOW)
        self.assertFalse(left[0].events("evasive"))
        killed.kill()
        before = time.monotonic()
        for one in left:
            one.wait_event("evasive", peer=killed.id)
            one.wait_event("exit", peer=killed.id)
        self.assertGreater(time.monotonic() - before, 1 * SLOW)
        self.assertLess(time.monotonic() - before, 2 * SLOW + 2)

    def test_who_is_stopped_and_goes_on_is_known_again_to_all(self):
        for beacons in (True, False):
            port = free_udp_port() if beacons else 0
            hub = self.peer("hub", "--join", "all", *QUICK, port=port)
            ask = () if beacons else ("--connect", hub.endpoint)
            one = self.peer("one", "--join", "all", *QUICK, *ask, port=port)
            two = self.peer("two", "--join", "all", *QUICK, *ask, port=port)
            one.wait_event("enter", peer=two.id)
            two.wait_event("join", peer=one.id, group="all")
            seen = [len(peer.lines()) for peer in (hub, one, two)]
            one.kill(signal.SIGSTOP)
            hub.wait_event("exit", seen[0], peer=one.id)
            two.wait_event("exit", seen[2], peer=one.id)
            seen = [len(peer.lines()) for peer in (hub, one, two)]
            one.kill(signal.SIGCONT)
            for peer, since in ((hub, seen[0]), (two, seen[2])):
                peer.wait_event("enter", since, peer=one.id)
                peer.wait_event("join", since, peer=one.id, group="all")
            talk = self.child("peer", "shout", "all", "--name", "x", "--connect", hub.endpoint,
                              "--beacon-port", str(port), stdin="hello\n")
            self.assertEqual(talk.wait(), 0, talk.text())

    def test_what_is_whispered_and_shouted_before_the_end_arrives(self):
        port = free_udp_port()
        ear = self.peer("ear", "--join", "all", port=port)
        for kind, target in (("whisper", "ear"), ("shout", "all")):
            lines = [f"{kind} {i}" for i in range(2000)]
            talk = self.child("peer", kind, target, "--name", "mouth", "--beacon-port", str(port),
                              stdin="\n".join(lines) + "\n")
            self.assertEqual(talk.wait(), 0, talk.text())
            ear.wait_event(kind, payload=lines[-1])
            self.assertEqual([event["payload"] for event in ear.events(kind)], lines)

    def test_lines_stay_lines_whatever_is_whispered(self):
        port = free_udp_port()
        ear = self.peer("ear", "--beacon-interval", "100ms", json=False, port=port)
        said = self.child("peer", "whisper", "ear", "--whole", "--name", "mouth", "--beacon-port",
                          str(port), stdin="two\nlines\t\x1b[2J, ünicode" + 200 * "!")
        self.assertEqual(said.wait(), 0, said.text())
        line = ear.wait_line("out", lambda text: text.startswith("whisper"))
        self.assertEqual(line, "whisper\tmouth\ttwo\\x0alines\\x09\\x1b[2J, ünicode" + 200 * "!")

    def test_peers_on_two_machines_find_each_other_on_interfaces_by_their_names(self):
        """Each in a network of its own, with a cable between."""
        if shutil.which("unshare") is None or shutil.which("ip") is None:
            self.skipTest("it takes unshare and ip")
        ended = subprocess.run(["unshare", "-rn", "bash", "-c", TWO_MACHINES, BUSBAR],
                               capture_output=True, text=True, timeout=TIMEOUT)
        if ended.returncode == NO_NETWORK or ended.stderr.startswith("unshare:"):
            self.skipTest("no network can be made here: " + ended.stderr)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertRegex(ended.stdout, r"^enter\tthere\t[0-9A-F]{32}\nshout\tthere\tall\t21.5\n$")

    def test_list_and_find_show_who_is_there_and_what_is_offered(self):
        port = free_udp_port()
        self.assert_exit(4, "find", "prices", "--timeout", "100ms", port=port)
        shop = self.peer("shop", "--join", "market", "--offer", "prices=tcp://127.0.0.1:5555",
                         port=port)
        found = self.assert_exit(0, "find", "prices", port=port)
        self.assertEqual(found, "tcp://127.0.0.1:5555\n")
        listed = self.assert_exit(0, "list", "--wait", f"{int(1500 * SLOW)}ms", port=port)
        self.assertEqual(listed, f"{shop.id}\tshop\t{shop.endpoint}\tmarket\n")
        self.assert_exit(4, "whisper", "nobody", "--timeout", "100ms", port=port, stdin="hello\n")
        self.assert_exit(0, "whisper", "nobody", "--timeout", "100ms", port=port)
        self.assert_exit(2, "whisper", port=port)
        self.assert_exit(2, "--interface", "nonsense", port=port)

    def assert_exit(self, code, *arguments, port, stdin=""):
        ended, out, err = run("peer", *arguments, "--beacon-port", str(port), stdin=stdin)
        self.assertEqual(ended, code, err)
        return out

    def test_a_node_by_hand_is_a_peer_byte_for_byte(self):
        peer = self.peer("ours", "--join", "all", "--header", "role=meter")
        node = self.by_hand(peer.endpoint)
        node.dealer.send(hello(f"tcp://127.0.0.1:{node.port}", "hand", ["all"], [("a", "b")]))
        who, greeting = node.inbox.recv_multipart()
        self.assertEqual(who, b"\x01" + bytes.fromhex(peer.id))
        ours = string(peer.endpoint) + b"\0\0\0\1\0\0\0\3all\1" + string("ours") + b"\0\0\0\2"
        self.assertTrue(greeting.startswith(frame(1, 1, ours + b"\4role\0\0\0\5meter")))
        entered = peer.wait_event("enter", peer=node.id.hex().upper())
        self.assertEqual((entered["name"], entered["headers"]), ("hand", {"a": "b"}))
        peer.wait_event("join", group="all", name="hand")
        node.dealer.send(frame(6, 2))
        self.assertEqual(node.inbox.recv_multipart()[1], frame(7, 2))
        node.dealer.send_multipart([frame(3, 3, string("all")), b"one", b"two"])
        self.assertEqual(peer.wait_event("shout")["payload"], "one")
        node.dealer.send_multipart([frame(2, 4), b"\xff\xfe"])
        self.assertEqual(peer.wait_event("whisper")["payload"], {"base64": "//4="})

    def test_beacons_are_sent_and_heard_byte_for_byte_and_garbage_is_passed_over(self):
        port = free_udp_port()
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(ear.close)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT, socket.SO_BROADCAST):
            ear.setsockopt(socket.SOL_SOCKET, option, 1)
        ear.bind(("", port))
        ear.settimeout(TIMEOUT)
        peer = self.peer("ours", port=port)
        heard = ear.recv(100)
        at = int(peer.endpoint.rsplit(":", 1)[1])
        self.assertEqual(heard, b"ZRE\x01" + bytes.fromhex(peer.id) + at.to_bytes(2, "big"))
        self.assertGreaterEqual(at, 0xC000)
        node = self.by_hand()
        everybody = ("127.255.255.255", port)
        for garbage in (b"", b"ZRE", node.beacon()[:-1], node.beacon() + b"x",
                        b"ZRE\x02" + node.beacon()[4:], bytes(200)):
            ear.sendto(garbage, everybody)
        ear.sendto(node.beacon(), everybody)
        self.assertEqual(node.inbox.recv_multipart()[0], b"\x01" + bytes.fromhex(peer.id))
        node.dealer.connect(peer.endpoint)
        node.dealer.send(hello(f"tcp://127.0.0.1:{node.port}", "hand"))
        peer.wait_event("enter", name="hand")
        ear.sendto(node.beacon(0), everybody)
        peer.wait_event("exit", name="hand")
        peer.kill(signal.SIGTERM)
        while (last := ear.recv(100)) != b"ZRE\x01" + bytes.fromhex(peer.id) + b"\0\0":
            self.assertLessEqual(len(last), 200)

    def test_whatever_is_killed_and_stopped_at_random_those_who_live_know_each_other(self):
        chance = random.Random(SEED)
        port = free_udp_port()
        made = 0
        peers = []
        stopped = []

        def start():
            nonlocal made
            made += 1
            peers.append(self.peer(f"{made}", "--join", "all", *QUICK, port=port))

        for _ in range(4):
            start()
        for _ in range(10):
            one = peers.pop(chance.randrange(len(peers)))
            if chance.random() < 0.5:
                one.kill()
                start()
            else:
                one.kill(signal.SIGSTOP)
                stopped.append(one)
            if stopped and chance.random() < 0.5:
                back = stopped.pop(0)
                back.kill(signal.SIGCONT)
                peers.append(back)
            if len(peers) < 3:
                start()
        for one in stopped:
            one.kill(signal.SIGCONT)
        peers += stopped
        for one in peers:
            one.wait_known({peer.id for peer in peers} - {one.id})


if __name__ == "__main__":
    unittest.main()
