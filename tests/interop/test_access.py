"""Who may connect, and where may be bound."""

import signal
import unittest

import zmq

from support import ANY, Case, run


class Curve(Case):
    def keys(self, name):
        """(key file, public key, secret key)"""
        file = self.path(name)
        code, public, err = run("keygen", file)
        self.assertEqual(code, 0, err)
        with open(file, encoding="utf-8") as text:
            secret = [line.split()[1] for line in text if line.startswith("secret ")][0]
        return file, public.strip(), secret

    def setUp(self):
        super().setUp()
        self.server = self.keys("server.key")
        self.alice = self.keys("alice.key")
        self.mallory = self.keys("mallory.key")
        self.allow = self.path("allowed", f"# who may connect\n{self.alice[1]} alice\n")
        self.guarded = self.device("streamer", "--key", self.server[0], "--allow", self.allow,
                                   control=None)

    def client(self, kind, endpoint, keys, server=None):
        return self.socket(kind, endpoint, curve_publickey=keys[1].encode(),
                           curve_secretkey=keys[2].encode(),
                           curve_serverkey=(server or self.server)[1].encode())

    def handshake(self, socket, endpoint):
        """What a stock socket's own monitor says of the connection."""
        events = {zmq.EVENT_HANDSHAKE_SUCCEEDED: "in", zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused",
                  zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "refused",
                  zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "refused"}
        monitor = socket.get_monitor_socket()
        monitor.rcvtimeo = socket.rcvtimeo
        socket.connect(endpoint)
        try:
            while True:
                event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
                if event in events:
                    return events[event]
        finally:
            socket.disable_monitor()

    def test_a_client_on_the_list_gets_in(self):
        pusher = self.client("PUSH", self.guarded.frontend, self.alice)
        puller = self.client("PULL", self.guarded.backend, self.alice)
        pusher.send(b"secret")
        self.assertEqual(puller.recv(), b"secret")

    def test_one_that_is_not_does_not_and_both_sides_say_so(self):
        pusher = self.client("PUSH", None, self.mallory)
        self.assertEqual(self.handshake(pusher, self.guarded.frontend), "refused")
        self.guarded.wait_log(self.mallory[1])
        refused = self.device("streamer", "--frontend-connect", self.guarded.backend,
                              "--key", self.mallory[0], "--server-key", self.server[1],
                              "--allow", self.allow, frontend=None, control=None)
        refused.wait_log("handshake failed")

    def test_no_keys_and_a_wrong_server_key_do_not_get_in(self):
        plain = self.socket("PUSH")
        self.assertEqual(self.handshake(plain, self.guarded.frontend), "refused")
        self.guarded.wait_log("handshake failed")
        wrong = self.device("streamer", "--frontend-connect", self.guarded.backend,
                            "--key", self.alice[0], "--server-key", self.mallory[1],
                            "--allow", self.allow, frontend=None, control=None)
        # The server cannot even read who it is, so neither side knows more than that it failed.
        self.guarded.wait_log("streamer.backend", "handshake failed")
        self.assertIsNone(wrong.process.poll())

    def test_the_list_is_read_again_on_sighup(self):
        pusher = self.client("PUSH", None, self.mallory)
        self.assertEqual(self.handshake(pusher, self.guarded.frontend), "refused")
        self.path("allowed", f"{self.alice[1]}\n{self.mallory[1]}\n")
        self.guarded.kill(signal.SIGHUP)
        self.guarded.wait_log("reloaded", "2")
        pusher = self.client("PUSH", None, self.mallory)
        self.assertEqual(self.handshake(pusher, self.guarded.frontend), "in")

    def test_a_key_that_is_taken_off_the_list_gets_in_no_more(self):
        in_before = self.client("PUSH", self.guarded.frontend, self.alice)
        puller = self.client("PULL", self.guarded.backend, self.alice)
        in_before.send(b"before")
        self.assertEqual(puller.recv(), b"before")
        self.path("allowed", f"{self.mallory[1]}\n")
        self.guarded.kill(signal.SIGHUP)
        self.guarded.wait_log("reloaded", "1")
        self.assertEqual(self.handshake(self.client("PUSH", None, self.alice),
                                        self.guarded.frontend), "refused")
        self.assertEqual(self.handshake(self.client("PUSH", None, self.mallory),
                                        self.guarded.frontend), "in")
        # The list is for connections that are made from then on.
        in_before.send(b"after")
        self.assertEqual(puller.recv(), b"after")

    def test_a_name_and_password_are_no_key(self):
        plain = self.socket("PUSH", plain_username=b"alice", plain_password=b"secret")
        self.assertEqual(self.handshake(plain, self.guarded.frontend), "refused")
        self.guarded.wait_log("handshake failed")
        self.test_a_client_on_the_list_gets_in()

    def test_a_bad_list_changes_nothing(self):
        self.path("allowed", "this is no key\n")
        self.guarded.kill(signal.SIGHUP)
        self.guarded.wait_log("allowed", "1")
        self.test_a_client_on_the_list_gets_in()

    def test_keys_without_a_list_are_refused(self):
        code, _, err = run("streamer", "--frontend", ANY, "--backend", ANY,
                           "--key", self.server[0])
        self.assertEqual(code, 2, err)
        self.assertIn("--allow", err)

    def test_a_secret_that_others_can_read_is_refused(self):
        import os
        os.chmod(self.server[0], 0o644)
        code, _, err = run("streamer", "--frontend", ANY, "--backend", ANY,
                           "--key", self.server[0], "--allow", self.allow)
        self.assertIn(code, (2, 5), err)
        self.assertIn("chmod 600", err)


class OffLoopback(Case):
    def test_without_keys_every_port_is_refused_with_the_remedy(self):
        good = {"--frontend": ANY, "--backend": ANY}
        for kind in ("forwarder", "streamer", "queue"):
            for port in ("--frontend", "--backend", "--control", "--tap"):
                for endpoint in ("tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*"):
                    with self.subTest(f"{kind} {port} {endpoint}"):
                        options = {**good, port: endpoint}
                        code, out, err = run(kind, *(x for pair in options.items() for x in pair),
                                             "--json")
                        self.assertEqual(code, 2, err)
                        self.assertIn("--insecure", err)
                        self.assertIn("--key", err)
                        self.assertEqual(out, "")

    def test_insecure_says_yes(self):
        device = self.device("streamer", "--insecure", frontend="tcp://0.0.0.0:*")
        pusher = self.socket("PUSH", device.frontend.replace("0.0.0.0", "127.0.0.1"))
        puller = self.socket("PULL", device.backend)
        pusher.send(b"x")
        self.assertEqual(puller.recv(), b"x")

    def test_in_a_topology_file_it_is_a_finding(self):
        file = self.path("open.toml", '''
            [devices.open]
            kind     = "streamer"
            frontend = { bind = "tcp://0.0.0.0:*" }
            backend  = { bind = "tcp://127.0.0.1:*" }
        ''')
        for command in ("check", "run"):
            code, _, err = run(command, file)
            self.assertEqual(code, 2, err)
            self.assertIn("open.toml:4", err)

    def test_an_address_in_use_is_exit_code_3(self):
        device = self.device("streamer")
        code, _, err = run("streamer", "--frontend", device.frontend, "--backend", ANY)
        self.assertEqual(code, 3, err)
        self.assertIn(device.frontend, err)
        self.assertIn("in use", err)

    def test_an_ipc_path_that_is_a_file_or_served_is_refused_and_left_alone(self):
        code, _, err = run("streamer", "--frontend", f"ipc://{self.path('file', 'precious')}",
                           "--backend", ANY)
        self.assertIn(code, (3, 5), err)
        self.assertIn("file", err)
        with open(self.path("file"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")
        device = self.device("streamer", frontend=self.ipc("taken"))
        code, _, err = run("streamer", "--frontend", device.frontend, "--backend", ANY)
        self.assertIn(code, (3, 5), err)
        self.assertIn(str(device.process.pid), err)


if __name__ == "__main__":
    unittest.main()
