"""Very many connections, subscriptions, and peers with one name, while a good peer goes on."""

import socket
import unittest

from support import SLOW, TIMEOUT, Case, hard

MANY = min(10000 if SLOW == 1 else 2000, hard)  # half of them at the same time
STORM = 200000 if SLOW == 1 else 20000


def connect(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), TIMEOUT)


class Connections(Case):
    def good_pair(self, device):
        """A function that passes one message from a pusher to a puller."""
        pusher = self.socket("PUSH", device.frontend)
        puller = self.socket("PULL", device.backend)

        def pass_one():
            pusher.send(b"good")
            self.assertEqual(puller.recv(), b"good")

        return pass_one

    def test_idle_connections_and_a_storm_of_new_ones(self):
        device = self.device("streamer")
        pass_one = self.good_pair(device)
        pass_one()
        for _ in range(MANY // 2):
            self.addCleanup(connect(device.frontend).close)
        pass_one()
        for _ in range(MANY // 2):
            connect(device.frontend).close()
        pass_one()
        ledger = device.ledger()
        self.assertEqual(ledger["frontend"]["received"], 3)
        self.assertLessEqual(len(ledger["peers"]), 1000)
        self.assertTrue(ledger["reconciles"])

    def test_a_second_peer_of_the_same_name_takes_the_place_of_the_first(self):
        device = self.device("queue")
        server = self.socket("REP", device.backend)

        def ask(client, text):
            client.send_multipart([b"", text])
            self.assertEqual(server.recv(), text)
            server.send(text)
            self.assertEqual(client.recv_multipart(), [b"", text])

        first = self.socket("DEALER", device.frontend, routing_id=b"w1")
        ask(first, b"one")
        second = self.socket("DEALER", device.frontend, routing_id=b"w1")
        ask(second, b"two")
        self.no_message(first)
        self.assertTrue(device.ledger()["reconciles"])


class Subscriptions(Case):
    def test_a_storm_of_subscriptions_leaves_nothing_behind(self):
        device = self.device("forwarder")
        publisher = self.socket("XPUB", device.frontend, rcvhwm=0)
        storm = self.socket("XSUB", device.backend, sndhwm=0)
        for i in range(STORM):
            storm.send(b"\x01s%d" % i)
            storm.send(b"\x00s%d" % i)
        storm.send(b"\x01end")
        heard = 0
        while publisher.recv() != b"\x01end":
            heard += 1
        self.assertEqual(heard, 2 * STORM)
        publisher.send_multipart([b"s1", b"unwanted"])
        publisher.send_multipart([b"end", b"wanted"])
        self.assertEqual(storm.recv_multipart(), [b"end", b"wanted"])
        ledger = device.wait_ledger(lambda l: l["subscriptions"]["received"] == 2 * STORM + 1)
        self.assertTrue(ledger["reconciles"])


if __name__ == "__main__":
    unittest.main()
