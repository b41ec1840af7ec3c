"""Keys: made once, kept private, and nobody gets in without one."""
import ctypes
import os
import signal
import stat
import subprocess

from support import BUSBAR, DEADLINE, Case


def give_up_rights_to_files():
    """For a child: root may open whatever is there, and others hold no such right anyway."""
    pr_capbset_drop, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        ctypes.CDLL(None).prctl(pr_capbset_drop, capability, 0, 0, 0)


class Keys(Case):
    def keys(self, name):
        return self.path(name), self.busbar("keygen", self.path(name))[0].strip()

    def test_a_key_file_is_private_and_never_overwritten(self):
        file, public = self.keys("k")
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        with open(file + ".pub", encoding="ascii") as text:
            self.assertEqual(text.read(), f"public {public}\n")
        with open(file, "rb") as text:
            before = text.read()
        _, err = self.busbar("keygen", file, code=5)
        self.assertIn(f"nothing was written, as there is {file} and {file}.pub (use the keys", err)
        os.remove(file + ".pub")
        _, err = self.busbar("keygen", file, code=5)
        self.assertIn(f"there is {file} (", err)
        with open(file, "rb") as text:
            self.assertEqual(text.read(), before)

    def test_a_folder_that_is_not_there_is_named(self):
        _, err = self.busbar("keygen", self.path("no/k"), code=2)
        self.assertIn(f"there is no folder {self.path('no')} (make it first", err)
        self.assertIn("names no file", self.busbar("keygen", self.folder + "/", code=2)[1])

    def test_a_control_endpoint_refuses_who_is_not_on_the_list(self):
        server, server_public = self.keys("server")
        mallory, _ = self.keys("mallory")
        device = self.device("streamer", "--key", server, "--allow", self.file("allow", ""),
                             "--control", "tcp://127.0.0.1:*")
        control = device.started["control"]
        _, err = self.busbar("stop", control, "--key", mallory, "--server-key", server_public, code=5)
        self.assertIn("the handshake failed: access refused", err)
        self.assertIn("the handshake failed", self.busbar("stop", control, code=5)[1])

    def test_an_empty_list_is_warned_of_in_one_line(self):
        server, _ = self.keys("server")
        allow = self.file("allow", "# nobody yet\n")
        device = self.device("streamer", "--key", server, "--allow", allow, "--control", self.ipc("c"))
        warning = device.says("warning: ")
        self.assertIn(f"the allow list {allow} is empty: nobody can connect; add ", warning)
        device.signal(signal.SIGHUP)
        self.assertEqual(device.says("warning: "), warning)
        device.says("allow list reloaded: 0 keys")
        device.signal()
        self.assertEqual((device.exit_code(), device.errors().count("warning")), (0, 2))
        run = self.start("run", self.file("site.toml", f'''
            [devices.q]
            kind = "queue"
            frontend = {{ bind = "tcp://127.0.0.1:*", key = "{server}", allow = "{allow}" }}
            backend = {{ bind = "tcp://127.0.0.1:*" }}
            '''))
        run.says("the allow list of q.frontend is empty: nobody can connect")

    def test_a_path_that_may_not_be_opened_is_called_so(self):
        there = self.ipc("closed")
        queue = self.start("queue", "--frontend", there, "--backend", self.ipc("b"), "--control", self.ipc("c"))
        queue.says(" backend ")
        for name in ("closed", "c"):
            os.chmod(self.path(name), 0)
        for args in (("push",), ("push", "--wire", "plain"), ("pub", "--topic", "t"), ("req",),
                     ("req", "--wire", "plain"), ("call", "s", "--connect"), ("rep", "--echo"), ("sub",)):
            with self.subTest(args):
                self.denied(*args, there, "--timeout", "500ms")
        self.denied("status", self.ipc("c"))

    def denied(self, *args):
        done = subprocess.run([BUSBAR, *args], input="x\n", text=True, capture_output=True, timeout=DEADLINE,
                              preexec_fn=give_up_rights_to_files, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, "error: .*: no permission to connect .*permissions")

    def test_a_key_file_that_others_can_read_is_refused(self):
        file, _ = self.keys("k")
        os.chmod(file, 0o644)
        _, err = self.busbar("pull", "--wire", "plain", self.ipc("p"), "--key", file, "--server-key", file + ".pub", code=5)
        self.assertIn("chmod 600", err)

    def test_the_wrong_one_of_two_key_files_is_named(self):
        (file, _), pull = self.keys("k"), ("pull", self.ipc("p"))
        _, err = self.busbar(*pull, "--key", file, "--server-key", file, code=2)
        self.assertIn(f"{file}: it holds a secret key, which is its owner's alone (give the file with .pub", err)
        _, err = self.busbar(*pull, "--key", file + ".pub", "--server-key", file + ".pub", code=2)
        self.assertIn("no line `secret KEY`", err)
        self.assertNotIn("chmod", err)

    def test_options_that_need_keys_say_so(self):
        self.assertIn("--key", self.busbar("pull", "--wire", "plain", self.ipc("p"), "--server-key", "x", code=2)[1])

    def test_wrong_keys_at_a_broker_advise_no_option_that_is_not_there(self):
        (server, public), (mallory, _) = self.keys("server"), self.keys("mallory")
        broker = self.start("services", "--bind", "tcp://127.0.0.1:*", "--json", "--key", server,
                            "--allow", self.file("allow", public + "\n")).json()["frontend"][0]
        keys = ("--key", mallory, "--server-key", public, "--timeout", "1s")
        for args in (("call", "s", "--connect", broker), ("rep", broker, "--service", "s", "--echo")):
            with self.subTest(args):
                _, err = self.busbar(*args, *keys, stdin="x\n", code=5)
                self.assertIn("its key and allow list, and our --key and --server-key", err)
                self.assertNotIn("--wire", err)

    def test_who_is_on_the_list_gets_in_and_who_is_not_does_not_until_a_reload(self):
        server, server_public = self.keys("server")
        alice, alice_public = self.keys("alice")
        mallory, mallory_public = self.keys("mallory")
        allow = self.file("allow", f"{alice_public} alice\n")
        device = self.device("streamer", "--key", server, "--allow", allow)

        pull = self.start("pull", "--wire", "plain", device.backend, "--key", alice, "--server-key", server + ".pub",
                          "--count", 2)
        self.busbar("push", "--wire", "plain", device.frontend, "--key", alice, "--server-key", server_public, stdin="in\n")
        self.assertEqual(pull.line(), "in")

        intruder = ("push", "--wire", "plain", device.frontend, "--key", mallory, "--server-key", server_public)
        _, err = self.busbar(*intruder, "--timeout", "2s", stdin="out\n", code=5)
        self.assertIn("handshake failed", err)
        self.assertRegex(err, r"reconnecting \S+: access refused.*; check our keys")
        device.says("handshake")  # the server's log says it too

        self.file("allow", "no key\n")
        device.signal(signal.SIGHUP)
        device.says("nothing was changed")
        self.file("allow", f"{alice_public}\n{mallory_public}\n")
        device.signal(signal.SIGHUP)
        device.says("allow list reloaded: 2 keys")
        self.busbar(*intruder, stdin="now in\n")
        self.assertEqual(pull.line(), "now in")

    def test_keys_without_a_list_are_refused(self):
        server, _ = self.keys("server")
        _, err = self.busbar("streamer", "--frontend", self.ipc("f"), "--backend", self.ipc("b"),
                             "--key", server, code=2)
        self.assertIn("--allow", err)
