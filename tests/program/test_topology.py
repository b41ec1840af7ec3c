"""check, graph, run and status of topology files."""
import json
import signal
import socket

from support import Case

GOOD = """
name = "site"
[devices.tasks]
kind = "streamer"
frontend = {{ bind = "tcp://127.0.0.1:*" }}
backend = {{ bind = "tcp://127.0.0.1:*" }}
control = "ipc://{folder}/tasks"
[devices.news]
kind = "forwarder"
frontend = {{ bind = "ipc://{folder}/news.in" }}
backend = {{ bind = "ipc://{folder}/news.out" }}
control = "ipc://{folder}/news"
"""


class Files(Case):
    def good(self):
        return self.file("site.toml", GOOD.format(folder=self.folder))

    def test_a_good_file_passes_and_is_drawn(self):
        file = self.good()
        self.assertIn("2 devices, 0 links", self.busbar("check", file)[1])
        one = self.file("one.toml", GOOD.format(folder=self.folder).split("[devices.news]")[0])
        self.assertIn("1 device, 0 links", self.busbar("check", one)[1])
        self.assertEqual(json.loads(self.busbar("check", file, "--json")[0])["findings"], [])
        self.assertIn("digraph", self.busbar("graph", file)[0])
        self.assertIn("tasks", self.busbar("graph", file, "--format", "mermaid")[0])
        self.busbar("graph", file, "--format", "gif", code=2)

    def test_bad_files_are_refused_by_file_and_line(self):
        for text, said in (('name = "x"\n[devices.a]\nkind = "streemer"\n', "bad.toml:3"),
                           ('[devices.a]\nkind = "queue"\ncolour = "red"\n', "colour"),
                           ("this is no toml", "bad.toml:1"),
                           ('[devices.a]\nkind = "queue"\nfrontend = { bind = "tcp://*:5555" }\n'
                            'backend = { bind = "ipc:///tmp/x" }\n', "bad.toml:")):
            with self.subTest(text):
                out, err = self.busbar("check", self.file("bad.toml", text), code=2)
                self.assertIn(said, err)
                self.assertEqual(out, "")
                self.busbar("run", self.path("bad.toml"), code=2)
        self.busbar("check", self.path("none.toml"), code=2)

    def test_inproc_endpoints_are_for_the_devices_of_the_file(self):
        def side(kind, endpoint):
            return f'{{ {kind} = "{endpoint}" }}'

        any_port, inside = side("bind", "tcp://127.0.0.1:*"), side("bind", "inproc://x")
        first = f'[devices.a]\nkind = "queue"\nfrontend = {any_port}\nbackend = {inside}\n'
        second = (f'[devices.b]\nkind = "queue"\nfrontend = {side("connect", "inproc://x")}\n'
                  f'backend = {any_port}\n')
        said = "inproc://x: inproc does not leave this process, and no other device is there (use ipc:// or tcp://)"
        both = self.file("both.toml", first + second)
        self.busbar("check", both)
        self.assertIn(said, self.busbar("run", both, "--only", "a", code=2)[1])
        lone = self.file("lone.toml", first)
        for command in ("check", "run"):
            with self.subTest(command):
                self.assertIn("lone.toml:4: devices.a.backend.bind: " + said,
                              self.busbar(command, lone, code=2)[1])

    def test_run_says_where_everything_is_and_ends_on_sigterm(self):
        run = self.start("run", self.good(), "--json")
        tasks, news = run.json()["devices"]
        self.assertEqual((tasks["name"], news["backend"]), ("tasks", [self.ipc("news.out")]))
        pull = self.start("pull", "--wire", "plain", tasks["backend"][0], "--count", 2)
        self.busbar("push", "--wire", "plain", tasks["frontend"][0], stdin="a\nb\n")
        self.assertEqual(pull.lines(2), ["a", "b"])
        run.signal()
        ledgers = run.json()["ledgers"]
        self.assertEqual(run.exit_code(), 0)
        self.assertEqual(ledgers[0]["backend"]["sent"], 2)

    def test_status_shows_the_whole_and_names_who_does_not_answer(self):
        file = self.good()
        run = self.start("run", file, "--json", "--only", "tasks")
        run.json()
        out, _ = self.busbar("status", file, "--json", "--timeout", "1s", code=4)
        status = json.loads(out)
        self.assertEqual([device["name"] for device in status["devices"]], ["tasks"])
        self.assertEqual([device["name"] for device in status["silent"]], ["news"])
        other = self.start("run", file, "--json", "--only", "news")
        other.json()
        out, _ = self.busbar("status", file)
        self.assertIn("tasks streamer running", out)
        self.assertIn("news forwarder running", out)
        self.busbar("run", file, "--only", "nobody", code=2)

    def test_sighup_reloads_and_a_bad_file_keeps_the_old_running(self):
        file = self.good()
        run = self.start("run", file, "--json")
        frontend = run.json()["devices"][0]["frontend"][0]
        self.file("site.toml", "broken")
        run.signal(signal.SIGHUP)
        run.says("nothing was changed")
        self.busbar("status", self.ipc("news"))
        first_device_only = GOOD.format(folder=self.folder).split("[devices.news]")[0]
        self.file("site.toml", first_device_only)
        run.signal(signal.SIGHUP)
        run.says("reloaded")
        self.busbar("status", self.ipc("news"), "--timeout", "200ms", code=3)
        self.busbar("status", self.ipc("tasks"))
        socket.create_connection(("127.0.0.1", int(frontend.rsplit(":", 1)[1]))).close()
        run.signal()
        self.assertEqual(run.exit_code(), 0)

    def test_a_drain_by_signal_that_abandons_messages_says_so_and_is_4(self):
        run = self.start("run", self.good(), "--json", "--drain-timeout", "200ms")
        tasks, _ = run.json()["devices"]
        self.busbar("push", "--wire", "plain", tasks["frontend"][0], stdin="for nobody\n")
        self.eventually(lambda: "held 1" in self.busbar("status", self.ipc("tasks"))[0],
                        "the message waits for a worker")
        run.signal()
        self.assertEqual(run.exit_code(), 4)
        self.assertIn("1 message abandoned", run.errors())

    def test_sigterm_is_heard_while_a_reload_drains(self):
        run = self.start("run", self.good(), "--json", "--drain-timeout", "10min")
        frontend = run.json()["devices"][0]["frontend"][0]
        self.busbar("push", "--wire", "plain", frontend, stdin="for nobody\n")
        head, news = GOOD.format(folder=self.folder).split("[devices.news]")
        self.file("site.toml", head.split("[devices.tasks]")[0] + "[devices.news]" + news)
        run.signal(signal.SIGHUP)
        run.signal()
        run.says("draining")
        self.assertNotIn("reloaded", run.err_text)
        run.signal()
        self.assertEqual(run.exit_code(), 4)  # the message, whoever drained it

    def test_status_is_json_also_when_nothing_answers(self):
        for subject, code in ((self.ipc("nobody"), 3), (self.path("none.toml"), 2)):
            out, _ = self.busbar("status", subject, "--json", "--timeout", "100ms", code=code)
            status = json.loads(out)
            self.assertEqual(status["devices"], [])
            self.assertTrue(status["failure"])
        out, _ = self.busbar("status", self.good(), "--json", "--timeout", "100ms", code=4)
        self.assertEqual([one["name"] for one in json.loads(out)["silent"]], ["tasks", "news"])

    def test_a_device_that_is_stopped_through_its_control_endpoint_ends(self):
        run = self.start("run", self.good(), "--json")
        run.json()
        self.busbar("stop", self.ipc("tasks"))
        self.busbar("stop", self.ipc("news"))
        self.assertEqual(run.exit_code(), 0)
