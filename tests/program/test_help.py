"""Every command explains itself, and what is mistyped is refused with a suggestion."""
import re
import subprocess

from support import BUSBAR, Case

COMMANDS = ("forwarder streamer queue run check graph status pause resume drain stop pub sub push "
            "pull req rep keygen bench completion").split()


class Help(Case):
    def test_every_command_shows_an_example(self):
        for command in COMMANDS:
            with self.subTest(command):
                out, err = self.busbar(command, "--help")
                self.assertRegex(out, rf"Example:\n.*busbar {command} ")
                self.assertEqual(err, "")

    def test_the_program_lists_every_command_and_its_version(self):
        out, _ = self.busbar("--help")
        for command in COMMANDS:
            self.assertRegex(out, rf"\n  {command} ")
        self.assertRegex(self.busbar("--version")[0], r"^busbar \d+\.\d+\.\d+\n$")

    def test_a_mistyped_command_or_option_is_refused_with_the_nearest(self):
        self.assertIn("did you mean 'status'?", self.busbar("statsu", code=2)[1])
        self.assertIn("did you mean '--topic'?", self.busbar("pub", "--tpoic", "x", code=2)[1])
        self.assertIn("--timeout", self.busbar("pull", "ipc:///x", "--timeout=soon", code=2)[1])
        for bad in ((), ("pub",), ("check",), ("run", "a.toml", "b.toml")):
            with self.subTest(bad):
                out, err = self.busbar(*bad, code=2)
                self.assertEqual(out, "")
                self.assertIn("busbar: error: ", err)

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
