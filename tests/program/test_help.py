"""Every command explains itself, and what is mistyped is refused with a suggestion."""
import re
import subprocess

from support import BUSBAR, Case

COMMANDS = ("forwarder streamer queue services run check graph status pause resume drain stop pub sub "
            "push pull req rep call peer keygen bench completion help").split()


class Help(Case):
    def test_an_option_takes_one_value_and_leaves_the_endpoint(self):
        none = self.ipc("none")
        for args in (("pub", "--header", "a=b", "--topic", "t", none),
                     ("sub", "--prefix", "a", "--topic", "t", none), ("pull", "--file", self.path("f"), none)):
            err = self.busbar(*args, "--timeout", "50ms", stdin="x\n", code=4)[1]
            self.assertIn(none, err)

    def test_every_command_shows_an_example(self):
        for command in COMMANDS:
            with self.subTest(command):
                out, err = self.busbar(command, "--help")
                self.assertRegex(out, rf"Example:\n.*busbar {command} ")
                self.assertEqual(err, "")

    def test_no_line_of_it_is_above_100_columns(self):
        for command in COMMANDS:
            for line in self.busbar(command, "--help")[0].splitlines():
                self.assertLessEqual(len(line), 100, line)

    def test_what_is_required_is_said(self):
        self.assertRegex(self.busbar("services", "--help")[0], "--bind ENDPOINT REQUIRED")
        self.assertRegex(self.busbar("queue", "--help")[0], "it needs this or --backend-connect")

    def test_the_program_lists_every_command_and_its_version(self):
        out, _ = self.busbar("--help")
        for command in COMMANDS:
            self.assertRegex(out, rf"\n  {command} ")
        self.assertRegex(self.busbar("--version")[0], r"^busbar \d+\.\d+\.\d+\n$")

    def test_a_mistyped_command_or_option_is_refused_with_the_nearest(self):
        self.assertIn("did you mean 'status'?", self.busbar("statsu", code=2)[1])
        self.assertIn("did you mean '--topic'?", self.busbar("pub", "--tpoic", "x", code=2)[1])
        self.assertIn("did you mean 'sub'?", self.busbar("sbu", code=2)[1])
        self.assertIn("did you mean '--bind'?", self.busbar("pub", "--bnid", code=2)[1])
        self.assertIn("--timeout", self.busbar("pull", "ipc:///x", "--timeout=soon", code=2)[1])
        for bad in ((), ("pub",), ("check",), ("run", "a.toml", "b.toml")):
            with self.subTest(bad):
                out, err = self.busbar(*bad, code=2)
                self.assertEqual(out, "")
                self.assertIn("busbar: error: ", err)

    def test_help_is_a_command_too(self):
        self.assertEqual(self.busbar("help")[0], self.busbar("--help")[0])
        for command in COMMANDS:
            self.assertEqual(self.busbar("help", command)[0], self.busbar(command, "--help")[0])
        self.assertIn("did you mean 'status'?", self.busbar("help", "statsu", code=2)[1])

    def test_what_is_wrong_with_an_argument_is_said_in_plain_words(self):
        pull = ("pull", self.ipc("x"))
        number = "is no whole number from 1 to 18446744073709551615"
        for args, said in (((*pull, "--count", "99999999999999999999"), "--count: '99999999999999999999' " + number),
                           ((*pull, "--count", "abc"), number), ((*pull, "--count", "0"), number),
                           ((*pull, "--count", "-3"), number), ((*pull, "--count", "1e3"), number),
                           ((*pull, "--count"), "--count needs a value"),
                           ((*pull, "--file", "a", "--file", "b"), "--file may be given once only"),
                           ((*pull, "--insecure=maybe"), "--insecure = maybe: that is no value for it"),
                           (("queue", "--queue", "0"), "'0' is no whole number from 1 to 1000000"),
                           (("bench", "--size", "16,9999999999"), "--size: '9999999999' is no whole number"),
                           (("graph", "x", "--format", "gif"), "--format: 'gif' is none of dot, mermaid, svg"),
                           (("queue", "-x"), "unknown option '-x' (see `busbar queue --help`)"),
                           (("pull",), "ENDPOINT is missing"), ((), "no command is given"),
                           (("call", "echo"), "--connect ENDPOINT is missing"),
                           (("call", "echo", "--bind"), "unknown option '--bind' (see"),
                           (("bench", "--sizes", "0"), "unknown option '--sizes' (did you mean '--size'?)")):
            with self.subTest(args):
                err = self.busbar(*args, code=2)[1]
                self.assertTrue(err.startswith("busbar: error: command line: "), err)
                self.assertIn(said, err)

    def test_the_manual_page_has_every_command_and_exit_code(self):
        out, _ = self.busbar("man")
        for command in COMMANDS:
            self.assertIn(f".SS busbar {command}\n", out)
        self.assertIn(".SH EXIT STATUS", out)

    def test_bash_completes_commands_options_and_choices(self):
        script = self.file("completion", self.busbar("completion", "bash")[0])

        def complete(*words):
            text = (f"source {script}; COMP_WORDS=({' '.join(words)}); "
                    f"COMP_CWORD={len(words) - 1}; _busbar; echo ${{COMPREPLY[@]}}")
            return subprocess.run(["bash", "-c", text], capture_output=True, text=True,
                                  check=True).stdout.split()

        self.assertEqual(complete("busbar", "pu"), ["pub", "push", "pull"])
        self.assertEqual(complete("busbar", "pub", "--top"), ["--topic"])
        self.assertEqual(complete("busbar", "forwarder", "--overflow", "b"), ["block"])

    def test_zsh_completion_names_every_command(self):
        out, _ = self.busbar("completion", "zsh")
        self.assertTrue(out.startswith("#compdef busbar\n"))
        self.assertEqual(re.findall(r"^    ([a-z]+)\)$", out, re.M)[:len(COMMANDS)], COMMANDS)

    def test_help_into_a_closed_pipe_ends_quietly(self):
        done = subprocess.run(f"{BUSBAR} man | head -1", shell=True, capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
