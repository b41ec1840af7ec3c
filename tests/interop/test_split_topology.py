"""One topology file, run by one process and by several."""

import json
import signal
import unittest

from support import Case, run, status

FILE = '''
name = "split"

[devices.edge]
kind     = "forwarder"
frontend = {{ bind = "ipc://{0}/edge.in" }}
control  = "ipc://{0}/edge.control"

[devices.core]
kind     = "forwarder"
backend  = {{ bind = "ipc://{0}/core.out" }}
control  = "ipc://{0}/core.control"

[devices.jobs]
kind     = "streamer"
frontend = {{ bind = "ipc://{0}/jobs.in" }}
control  = "ipc://{0}/jobs.control"

[devices.farm]
kind     = "streamer"
backend  = {{ bind = "ipc://{0}/farm.out" }}
control  = "ipc://{0}/farm.control"

[[links]]
from = "edge.backend"
to   = "core.frontend"
over = "ipc://{0}/edge-core"

[[links]]
from = "jobs.backend"
to   = "farm.frontend"
over = "ipc://{0}/jobs-farm"
'''


class SplitTopology(Case):
    def setUp(self):
        super().setUp()
        self.file = self.path("split.toml", FILE.format(self.folder))

    def start(self, *only):
        arguments = ["--only", *only] if only else []
        child = self.child("run", self.file, "--json", *arguments)
        child.wait_line("out", lambda line: '"started"' in line)
        return child

    def use_it(self):
        publisher = self.socket("PUB", self.ipc("edge.in"))
        subscriber = self.socket("SUB", self.ipc("core.out"), subscribe=b"")
        self.join(publisher, subscriber, topic=b"t")
        for i in range(200):
            publisher.send_multipart([b"t", b"%d" % i])
        self.assertEqual([subscriber.recv_multipart()[1] for _ in range(200)],
                         [b"%d" % i for i in range(200)])
        pusher = self.socket("PUSH", self.ipc("jobs.in"))
        puller = self.socket("PULL", self.ipc("farm.out"))
        for i in range(1000):
            pusher.send(b"%d" % i)
        self.assertEqual([puller.recv() for _ in range(1000)], [b"%d" % i for i in range(1000)])
        ledgers = {ledger["name"]: ledger for ledger in status(self.file)}
        self.assertEqual(set(ledgers), {"edge", "core", "jobs", "farm"})
        for name in ("jobs", "farm"):
            self.assertEqual(ledgers[name]["frontend"]["received"], 1000)
            self.assertEqual(ledgers[name]["backend"]["sent"], 1000)
        for ledger in ledgers.values():
            self.assertTrue(ledger["reconciles"], json.dumps(ledger))
        return publisher, subscriber, pusher, puller

    def test_in_one_process(self):
        self.start()
        self.use_it()

    def test_in_four_processes_started_in_any_order(self):
        for name in ("farm", "core", "edge", "jobs"):
            self.start(name)
        self.use_it()

    def test_in_two_processes_and_one_is_replaced(self):
        self.start("edge", "core")
        second = self.start("jobs", "farm")
        *_, pusher, puller = self.use_it()
        second.kill(signal.SIGTERM)
        self.assertEqual(second.wait(), 0, second.text())
        self.start("jobs", "farm")
        pusher.send(b"after")
        self.assertEqual(puller.recv(), b"after")

    def test_who_does_not_answer_is_named(self):
        self.start("edge", "core", "jobs")
        code, out, _ = run("status", self.file, "--json", "--timeout", "300ms")
        self.assertEqual(code, 4)
        self.assertEqual([one["name"] for one in json.loads(out)["silent"]], ["farm"])

    def test_an_unknown_name_is_refused(self):
        code, _, err = run("run", self.file, "--only", "nobody")
        self.assertEqual(code, 2)
        self.assertIn("nobody", err)


if __name__ == "__main__":
    unittest.main()
