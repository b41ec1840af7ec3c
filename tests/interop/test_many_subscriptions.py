"""A thousand subscribers and ten thousand distinct subscriptions through a forwarder."""

import signal
import time
import unittest

import zmq

from support import TIMEOUT, Case

SUBSCRIBERS = 1000
EACH = 10


def topic(subscriber, i):
    return b"topic.%d.%d." % (subscriber, i)


class ManySubscriptions(Case):
    def publisher(self, endpoint):
        # Verbose: a stock XPUB that reconnects says nothing of subscriptions that it remembers.
        return self.socket("XPUB", endpoint, sndhwm=0, rcvhwm=0, xpub_verbose=1)

    def subscriber(self, endpoint, topics):
        return self.socket("SUB", endpoint, rcvhwm=0, sndhwm=0, reconnect_ivl=20,
                           subscribe=topics)

    def hear_subscriptions(self, publisher, subscribers, count):
        """Until the publisher has heard of `count` distinct topics since the call."""
        known = set()
        deadline = time.monotonic() + TIMEOUT
        while len(known) < count:
            self.assertLess(time.monotonic(), deadline, f"{len(known)} of {count} arrived")
            # A stock SUB subscribes again only when its program has it do something.
            for subscriber in subscribers:
                subscriber.get(zmq.EVENTS)
            while publisher.poll(10):
                message = publisher.recv()
                if message[:1] == b"\x01":
                    known.add(message[1:])
        return known

    def publish_all(self, publisher, subscribers, mark):
        for n in range(SUBSCRIBERS):
            for i in range(EACH):
                publisher.send_multipart([topic(n, i), mark])
        for n, subscriber in enumerate(subscribers):
            got = [subscriber.recv_multipart() for _ in range(EACH)]
            self.assertEqual(got, [[topic(n, i), mark] for i in range(EACH)], f"subscriber {n}")

    def test_nothing_is_lost_when_either_side_of_the_forwarder_comes_back(self):
        frontend, backend = self.ipc("in"), self.ipc("out")
        forwarder = self.device("forwarder", frontend=frontend, backend=backend)
        publisher = self.publisher(frontend)
        subscribers = [
            self.subscriber(backend, [topic(n, i) for i in range(EACH)])
            for n in range(SUBSCRIBERS)]
        self.hear_subscriptions(publisher, subscribers, SUBSCRIBERS * EACH)
        self.publish_all(publisher, subscribers, b"first")
        ledger = forwarder.wait_ledger(
            lambda l: l["frontend"]["received"] == SUBSCRIBERS * EACH)
        self.assertEqual(ledger["backend"]["sent"], SUBSCRIBERS * EACH)
        self.assertTrue(ledger["reconciles"])

        with self.subTest("the forwarder is restarted"):
            forwarder.kill(signal.SIGTERM)
            self.assertEqual(forwarder.wait(), 0, forwarder.text())
            forwarder = self.device("forwarder", frontend=frontend, backend=backend)
            self.hear_subscriptions(publisher, subscribers, SUBSCRIBERS * EACH)
            self.publish_all(publisher, subscribers, b"second")

        with self.subTest("the publisher is restarted"):
            publisher.close()
            publisher = self.publisher(frontend)
            self.hear_subscriptions(publisher, subscribers, SUBSCRIBERS * EACH)
            self.publish_all(publisher, subscribers, b"third")

    def test_one_subscriber_with_ten_thousand_comes_back_whole(self):
        """libzmq drops what is above its high-water mark when subscriptions are sent again."""
        frontend, backend = self.ipc("in"), self.ipc("out")
        forwarder = self.device("forwarder", frontend=frontend, backend=backend)
        publisher = self.publisher(frontend)
        topics = [topic(0, i) for i in range(SUBSCRIBERS * EACH)]
        subscriber = self.subscriber(backend, topics)
        self.assertEqual(self.hear_subscriptions(publisher, [subscriber], len(topics)), set(topics))
        # This time it is the connection in front of the forwarder that is new.
        publisher.close()
        publisher = self.publisher(frontend)
        self.assertEqual(self.hear_subscriptions(publisher, [subscriber], len(topics)), set(topics))
        for each in topics[::100]:
            publisher.send(each)
        self.assertEqual([subscriber.recv() for _ in topics[::100]], topics[::100])
        self.assertIsNone(forwarder.process.poll())


if __name__ == "__main__":
    unittest.main()
