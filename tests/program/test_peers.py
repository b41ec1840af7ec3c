"""What peers that speak say of those who do not hear them."""
import os
import signal

import zmq

from support import DEADLINE, StockCase

OFTEN = ("--evasive-after", "500ms")  # so often it sees whether the others are there
LOST = r"\d+ messages? lost, as the connection was gone"


class Speaking(StockCase):
    def peer(self, *args):
        bind = () if "--bind" in args else ("--bind", "tcp://127.0.0.1:*")
        peer = self.start("peer", *args, "--beacon-port", 0, *bind)
        peer.endpoint = peer.says("peer '").split(" at ")[1]
        return peer

    def hears(self, peer, event):
        line = peer.line()
        while not line.startswith(event):
            line = peer.line()
        return line

    def replace(self, peer, connections):
        """Ends it, and has something in its place, and there so many connections, that is no peer."""
        peer.signal(signal.SIGKILL)
        peer.exit_code()
        os.unlink(self.path("gone"))
        other = self.socket(zmq.PUB)
        accepted = other.get_monitor_socket(zmq.EVENT_ACCEPTED)
        other.bind(self.ipc("gone"))
        for _ in range(connections):
            self.assertNotEqual(accepted.poll(DEADLINE * 1000), 0)
            accepted.recv_multipart()
        other.disable_monitor()
        accepted.close()

    def test_what_is_lost_with_a_connection_is_told(self):
        gone = self.peer("join", "g", "--name", "gone", "--bind", self.ipc("gone"))
        stays = self.peer("join", "g", "--connect", gone.endpoint, *OFTEN)
        self.hears(stays, "join\tgone")
        speaks = self.peer("shout", "g", "--connect", stays.endpoint, "--connect", gone.endpoint)
        speaks.write("first\n")
        self.hears(gone, "shout")
        self.replace(gone, 2)
        while not self.hears(stays, ("shout", "exit\tgone")).startswith("exit"):
            speaks.write("more\n")
        speaks.end_of_input()
        self.assertEqual(speaks.exit_code(), 3)
        self.assertRegex(speaks.errors(), "peer shout: " + LOST)

    def test_what_a_whisper_loses_with_its_peer_is_told(self):
        gone = self.peer("join", "--name", "gone", "--bind", self.ipc("gone"))
        speaks = self.peer("whisper", "gone", "--connect", gone.endpoint)
        speaks.write("first\n")
        self.hears(gone, "whisper")
        self.replace(gone, 1)
        with self.assertRaises(BrokenPipeError):
            while True:
                speaks.write("more\n")
        self.assertEqual(speaks.exit_code(), 4)
        self.assertRegex(speaks.errors(), r"line \d+ was not sent: the peer has left; " + LOST)

    def test_what_is_left_out_is_told(self):
        stuck = self.peer("join", "g")
        speaks = self.peer("shout", "g", "--connect", stuck.endpoint, "--timeout", "200ms",
                           "--file", self.file("in", ("x" * 1000 + "\n") * 30_000))
        self.hears(stuck, "shout")
        stuck.signal(signal.SIGSTOP)
        self.assertEqual(speaks.exit_code(), 4)
        self.assertRegex(speaks.errors(), r"\d+ messages? left out, as peers did not read")
