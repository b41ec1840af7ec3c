"""Unmodified stock sockets on both sides of every device."""

import unittest

import zmq

from support import ANY, Case


class Forwarder(Case):
    def exchange(self, publisher, subscribers):
        joined = self.join(publisher, *subscribers, topic=b"prices.eur")
        sent = [[b"prices.eur", b"%d" % i, b""] for i in range(500)]
        for message in sent:
            publisher.send_multipart(message)
        for subscriber in subscribers:
            self.assertEqual([subscriber.recv_multipart() for _ in sent], sent)
        return joined + len(sent)

    def test_pub_to_many_sub_over_tcp_and_ipc(self):
        for endpoint in (ANY, self.ipc("x")):
            with self.subTest(endpoint):
                other = ANY if endpoint == ANY else self.ipc("y")
                device = self.device("forwarder", frontend=endpoint, backend=other)
                publisher = self.socket("PUB", device.frontend)
                subscribers = [self.socket("SUB", device.backend, subscribe=b"prices.")
                               for _ in range(3)]
                self.exchange(publisher, subscribers)
                ledger = device.wait_ledger(
                    lambda l: l["backend"]["sent"] == l["frontend"]["received"] >= 501)
                self.assertTrue(ledger["reconciles"])

    def test_sub_gets_what_it_asked_for_and_nothing_else(self):
        device = self.device("forwarder")
        publisher = self.socket("PUB", device.frontend)
        eur = self.socket("SUB", device.backend, subscribe=[b"prices.eur", b"end"])
        everything = self.socket("SUB", device.backend, subscribe=b"")
        self.join(publisher, eur, everything, topic=b"end")
        for topic in (b"prices.eur", b"prices.usd", b"other", b"prices.eur.spot", b"end"):
            publisher.send_multipart([topic, b"1"])
        self.assertEqual([eur.recv_multipart()[0] for _ in range(3)],
                         [b"prices.eur", b"prices.eur.spot", b"end"])
        self.assertEqual(len([everything.recv_multipart() for _ in range(5)]), 5)

    def test_unsubscribing_reaches_the_publisher(self):
        device = self.device("forwarder")
        publisher = self.socket("XPUB", device.frontend)
        subscriber = self.socket("SUB", device.backend, subscribe=b"a")
        self.assertEqual(publisher.recv(), b"\x01a")
        subscriber.set(zmq.UNSUBSCRIBE, b"a")
        self.assertEqual(publisher.recv(), b"\x00a")

    def test_xpub_and_xsub(self):
        device = self.device("forwarder")
        publisher = self.socket("XPUB", device.frontend)
        subscriber = self.socket("XSUB", device.backend)
        subscriber.send(b"\x01news")
        self.assertEqual(publisher.recv(), b"\x01news")
        publisher.send_multipart([b"news", b"today"])
        self.assertEqual(subscriber.recv_multipart(), [b"news", b"today"])

    def test_a_device_that_connects_to_bound_peers(self):
        publisher = self.socket("PUB", bind=ANY)
        subscriber = self.socket("SUB", bind=ANY, subscribe=b"")
        self.device("forwarder", "--frontend-connect", publisher.last_endpoint.decode(),
                    "--backend-connect", subscriber.last_endpoint.decode(),
                    frontend=None, backend=None)
        self.exchange(publisher, [subscriber])

    def test_empty_frames_and_bytes_that_are_no_text(self):
        device = self.device("forwarder")
        publisher = self.socket("PUB", device.frontend)
        subscriber = self.socket("SUB", device.backend, subscribe=b"")
        self.join(publisher, subscriber, topic=b"\xff\x00")
        for message in ([b""], [b"", b"", b""], [b"\xff\x00", bytes(range(256)) * 100]):
            publisher.send_multipart(message)
            self.assertEqual(subscriber.recv_multipart(), message)


class Streamer(Case):
    def test_push_to_pull_exactly_once_each(self):
        device = self.device("streamer")
        pullers = [self.socket("PULL", device.backend) for _ in range(3)]
        pushers = [self.socket("PUSH", device.frontend) for _ in range(2)]
        sent = {b"%d-%d" % (which, i) for which in range(2) for i in range(1000)}
        for message in sent:
            pushers[message[0] - ord("0")].send_multipart([message, b""])
        poller = zmq.Poller()
        for puller in pullers:
            poller.register(puller, zmq.POLLIN)
        arrived = []
        while len(arrived) < len(sent):
            ready = poller.poll(10000)
            self.assertTrue(ready, f"{len(arrived)} of {len(sent)} arrived")
            for puller, _ in ready:
                arrived.append(puller.recv_multipart()[0])
        self.assertEqual(len(arrived), len(set(arrived)))
        self.assertEqual(set(arrived), sent)
        ledger = device.ledger()
        self.assertEqual(ledger["frontend"]["received"], len(sent))
        self.assertEqual(ledger["backend"]["sent"], len(sent))
        self.assertTrue(ledger["reconciles"])

    def test_what_is_pushed_before_there_is_a_worker_waits_for_it(self):
        device = self.device("streamer")
        pusher = self.socket("PUSH", device.frontend)
        for i in range(100):
            pusher.send(b"%d" % i)
        puller = self.socket("PULL", device.backend)
        self.assertEqual([puller.recv() for _ in range(100)], [b"%d" % i for i in range(100)])

    def test_bound_push_and_bound_pull(self):
        pusher = self.socket("PUSH", bind=ANY)
        puller = self.socket("PULL", bind=ANY)
        self.device("streamer", "--frontend-connect", pusher.last_endpoint.decode(),
                    "--backend-connect", puller.last_endpoint.decode(),
                    frontend=None, backend=None)
        pusher.send_multipart([b"", b"", b"a"])
        self.assertEqual(puller.recv_multipart(), [b"", b"", b"a"])


class Queue(Case):
    def check_ledger(self, device, count):
        ledger = device.wait_ledger(lambda l: l["frontend"]["sent"] == count)
        for side, field in (("frontend", "received"), ("backend", "sent"),
                            ("backend", "received")):
            self.assertEqual(ledger[side][field], count, f"{side} {field}")
        self.assertTrue(ledger["reconciles"])

    def test_req_to_rep(self):
        device = self.device("queue")
        client = self.socket("REQ", device.frontend)
        server = self.socket("REP", device.backend)
        for i in range(200):
            client.send_multipart([b"%d" % i, b""])
            self.assertEqual(server.recv_multipart(), [b"%d" % i, b""])
            server.send_multipart([b"", b"re %d" % i])
            self.assertEqual(client.recv_multipart(), [b"", b"re %d" % i])
        self.check_ledger(device, 200)

    def test_each_reply_goes_to_who_asked(self):
        device = self.device("queue")
        clients = [self.socket("REQ", device.frontend) for _ in range(10)]
        servers = [self.socket("REP", device.backend) for _ in range(2)]
        for i, client in enumerate(clients):
            client.send(b"%d" % i)
        poller = zmq.Poller()
        for server in servers:
            poller.register(server, zmq.POLLIN)
        answered = 0
        while answered < len(clients):
            for server, _ in poller.poll(10000):
                server.send(b"re " + server.recv())
                answered += 1
        for i, client in enumerate(clients):
            self.assertEqual(client.recv(), b"re %d" % i)
        self.check_ledger(device, len(clients))

    def test_dealer_to_rep_many_under_way(self):
        device = self.device("queue")
        client = self.socket("DEALER", device.frontend)
        server = self.socket("REP", device.backend)
        for i in range(200):
            client.send_multipart([b"", b"%d" % i])
        for i in range(200):
            server.send(b"re " + server.recv())
        self.assertEqual([client.recv_multipart() for _ in range(200)],
                         [[b"", b"re %d" % i] for i in range(200)])
        self.check_ledger(device, 200)

    def test_req_to_router_and_dealer_workers(self):
        for kind in ("ROUTER", "DEALER"):
            with self.subTest(kind):
                device = self.device("queue")
                client = self.socket("REQ", device.frontend)
                worker = self.socket(kind, device.backend)
                client.send(b"question")
                request = worker.recv_multipart()
                self.assertEqual(request[-2:], [b"", b"question"])
                self.assertEqual(len(request), 4 if kind == "ROUTER" else 3)
                worker.send_multipart(request[:-1] + [b"answer"])
                self.assertEqual(client.recv(), b"answer")

    def test_router_as_a_client(self):
        device = self.device("queue")
        client = self.socket("ROUTER", router_mandatory=1, connect_routing_id=b"proxy")
        client.connect(device.frontend)
        server = self.socket("REP", device.backend)
        client.send_multipart([b"proxy", b"", b"question"])
        self.assertEqual(server.recv(), b"question")
        server.send(b"answer")
        self.assertEqual(client.recv_multipart(), [b"proxy", b"", b"answer"])

    def test_two_dealers_may_do_without_an_empty_delimiter(self):
        device = self.device("queue")
        client = self.socket("DEALER", device.frontend)
        worker = self.socket("DEALER", device.backend)
        client.send_multipart([b"no", b"delimiter"])
        request = worker.recv_multipart()
        self.assertEqual(request[1:], [b"no", b"delimiter"])
        worker.send_multipart([request[0], b"answer"])
        self.assertEqual(client.recv(), b"answer")

    def test_a_reply_that_is_nothing_but_an_address_is_counted_and_goes_nowhere(self):
        device = self.device("queue")
        client = self.socket("DEALER", device.frontend)
        worker = self.socket("DEALER", device.backend)
        client.send(b"question")
        request = worker.recv_multipart()
        worker.send(request[0])
        worker.send_multipart([request[0], b"answer"])
        self.assertEqual(client.recv(), b"answer")
        ledger = device.wait_ledger(lambda l: l["frontend"]["sent"] == 1)
        self.assertEqual(ledger["backend"]["causes"], {"malformed": 1})
        self.assertTrue(ledger["reconciles"])

    def test_a_reply_to_a_client_that_left_is_counted(self):
        device = self.device("queue")
        client = self.socket("REQ", device.frontend)
        server = self.socket("REP", device.backend)
        client.send(b"question")
        self.assertEqual(server.recv(), b"question")
        client.close()
        device.wait_ledger(lambda l: not any(
            peer["connected"] for peer in l["peers"] if peer["side"] == "frontend"))
        server.send(b"answer")
        ledger = device.wait_ledger(lambda l: l["backend"]["received"] == 1)
        self.assertEqual(ledger["frontend"]["causes"], {"no_peer": 1})
        self.assertTrue(ledger["reconciles"])


if __name__ == "__main__":
    unittest.main()
