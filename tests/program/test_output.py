"""What cannot be written is said, with an exit code; a reader that is gone had enough."""
import subprocess

import zmq

from support import BUSBAR, DEADLINE, StockCase, subscription_at


class Unwritable(StockCase):
    def refused(self, said, redirection, *args):
        done = subprocess.run(["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", BUSBAR,
                               *map(str, args)], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("busbar: error: write stdout: " + said, done.stderr)

    def topology(self):
        return self.file("site.toml", '[devices.a]\nkind = "queue"\n'
                         f'frontend = {{ bind = "{self.ipc("f")}" }}\n'
                         f'backend = {{ bind = "{self.ipc("b")}" }}\n')

    def test_a_full_disk_and_a_closed_stdout_are_refused(self):
        device = self.device("streamer", "--control", self.ipc("control"))
        for i, (said, redirection) in enumerate((("No space left", ">/dev/full"), ("it is closed", ">&-"))):
            for args in (("--version",), ("graph", self.topology()), ("man",), ("completion", "bash"),
                         ("status", self.ipc("control")), ("status", self.ipc("control"), "--json"),
                         ("keygen", self.path(f"key{i}"))):
                with self.subTest(args):
                    self.refused(said, redirection, *args)
        device.signal()
        self.assertEqual(device.exit_code(), 0)

    def test_a_subscriber_says_it_as_soon_as_it_writes(self):
        for said, redirection in (("No space left", ">/dev/full"), ("it is closed", ">&-")):
            with self.subTest(redirection):
                pub, endpoint = self.bound(zmq.XPUB)
                sub = subprocess.Popen(["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", BUSBAR,
                                        "sub", endpoint], stderr=subprocess.PIPE)
                self.addCleanup(sub.communicate)
                self.addCleanup(sub.kill)
                self.assertEqual(subscription_at(pub), b"\1")
                pub.send_multipart([b"t", b"x"])
                self.assertIn("write stdout: " + said, sub.stderr.read().decode())
                self.assertEqual(sub.wait(DEADLINE), 5)

    def test_without_stderr_no_socket_takes_its_place(self):
        done = subprocess.run(["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", BUSBAR, "push",
                               self.ipc("none"), "--timeout", "50ms"], input=b"a line\n",
                              stdout=subprocess.PIPE, timeout=DEADLINE)
        self.assertEqual(done.returncode, 4)
