"""What the tests of this folder share: the `busbar` program as a child, and stock ZeroMQ sockets.

BUSBAR names the program; BUSBAR_SLOW is a factor for timeouts (sanitizer builds). Nothing here
sleeps to synchronise: every wait is for an event and has a deadline."""

import json
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import zmq

BUSBAR = os.environ.get("BUSBAR", "busbar")
SLOW = float(os.environ.get("BUSBAR_SLOW", "1"))
TIMEOUT = 15 * SLOW
ANY = "tcp://127.0.0.1:*"

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Child:
    """A running `busbar` subcommand, or another program, whose output can be waited for. `stdin` is
    all of its input; with `talk` its input stays open for `tell`."""

    def __init__(self, *arguments, program=BUSBAR, cwd=None, stdin=None, talk=False):
        self.process = subprocess.Popen(
            [program, *arguments], cwd=cwd,
            stdin=subprocess.PIPE if talk or stdin is not None else None,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        self._lines = {"out": [], "err": []}
        self._ended = {"out": False, "err": False}
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, pipe), daemon=True)
            for stream, pipe in (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self._readers:
            reader.start()
        if stdin is not None:
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    def _read(self, stream, pipe):
        for line in pipe:
            with self._changed:
                self._lines[stream].append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended[stream] = True
            self._changed.notify_all()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def lines(self, stream="out"):
        with self._changed:
            return list(self._lines[stream])

    def wait_line(self, stream, wanted, since=0):
        """The first line for which `wanted` holds, of those behind the first `since`, as soon as it
        is there."""
        deadline = time.monotonic() + TIMEOUT
        with self._changed:
            while True:
                for line in self._lines[stream][since:]:
                    if wanted(line):
                        return line
                left = deadline - time.monotonic()
                if self._ended[stream] or left <= 0:
                    raise AssertionError(
                        f"{' '.join(self.process.args)}: no such line on {stream}\n{self.text()}")
                self._changed.wait(left)

    def wait_log(self, *words):
        return self.wait_line("err", lambda line: all(word in line for word in words))

    def text(self):
        return "\n".join(self._lines["out"] + self._lines["err"])

    def wait(self, timeout=None):
        code = self.process.wait(timeout or TIMEOUT)
        for reader in self._readers:
            reader.join()
        return code

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()


class Device(Child):
    """`busbar forwarder | streamer | queue`, with a control endpoint unless one is given."""

    def __init__(self, kind, *arguments, frontend=ANY, backend=ANY, control=ANY):
        for option, endpoint in (("--frontend", frontend), ("--backend", backend),
                                 ("--control", control)):
            if endpoint:
                arguments += (option, endpoint)
        super().__init__(kind, *arguments, "--json")
        started = json.loads(self.wait_line("out", lambda line: '"started"' in line))
        self.frontend = (started["frontend"] or [None])[0]
        self.backend = (started["backend"] or [None])[0]
        self.control = started.get("control")
        self.tap = started.get("tap")

    def ledger(self):
        return status(self.control)[0]

    def wait_ledger(self, holds):
        """The first ledger for which `holds`; each look is a round trip through the device."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            ledger = self.ledger()
            if holds(ledger):
                return ledger
            if time.monotonic() > deadline:
                raise AssertionError(f"the ledger stayed at {json.dumps(ledger, indent=1)}")


def run(*arguments, stdin="", cwd=None):
    """A subcommand that ends by itself: exit code, stdout, stderr."""
    done = subprocess.run([BUSBAR, *arguments], input=stdin, cwd=cwd, text=True, timeout=TIMEOUT,
                          capture_output=True, errors="replace", check=False)
    return done.returncode, done.stdout, done.stderr


def status(endpoint, *arguments):
    code, out, err = run("status", endpoint, *arguments, "--json")
    if code != 0:
        raise AssertionError(f"status {endpoint}: exit code {code}: {err}")
    return json.loads(out)["devices"]


class Case(unittest.TestCase):
    """Sockets, devices and folders that are gone when the test is."""

    longMessage = True

    def setUp(self):
        self.context = zmq.Context(io_threads=1)
        self.context.max_sockets = 20000
        self.addCleanup(self.context.destroy, linger=0)
        folder = tempfile.TemporaryDirectory(prefix="bb")
        self.folder = folder.name
        self.addCleanup(folder.cleanup)

    def device(self, *arguments, **named):
        device = Device(*arguments, **named)
        self.addCleanup(device.end)
        return device

    def child(self, *arguments, **named):
        child = Child(*arguments, **named)
        self.addCleanup(child.end)
        return child

    def ipc(self, name):
        return f"ipc://{self.folder}/{name}"

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def socket(self, kind, connect=None, bind=None, **options):
        """A stock socket; `options` are socket options in lower case, set first."""
        socket = self.context.socket(getattr(zmq, kind))
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = int(TIMEOUT * 1000)
        for name, value in options.items():
            for each in value if isinstance(value, list) else [value]:
                socket.set(getattr(zmq, name.upper()), each)
        if connect:
            socket.connect(connect)
        if bind:
            socket.bind(bind)
        return socket

    def no_message(self, socket, milliseconds=100):
        """Nothing is there, nor comes while one looks for it."""
        self.assertEqual(socket.poll(milliseconds), 0, "a message came")

    def join(self, publisher, *subscribers, topic=b""):
        """Publishes until every subscriber has heard it, and takes the extra copies out."""
        waiting = set(subscribers)
        deadline = time.monotonic() + TIMEOUT
        number = 0
        while waiting:
            self.assertLess(time.monotonic(), deadline, f"{len(waiting)} subscribers hear nothing")
            number += 1
            publisher.send_multipart([topic, b"join", b"%d" % number])
            waiting = {one for one in waiting if not one.poll(5)}
        # What is behind the last call has been heard by all: it ends the calls that came before.
        publisher.send_multipart([topic, b"joined", b""])
        for one in subscribers:
            while one.recv_multipart()[1] != b"joined":
                pass
        return number + 1
