"""Starts the built busbar, and waits for what it says instead of for time to pass."""
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import zmq

BUSBAR = os.environ["BUSBAR"]
DEADLINE = 20  # seconds; reached only where a test fails


class Process:
    """A running busbar. Lines of both streams are read in the background."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen(
            [BUSBAR, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=env)
        self.out, self.err = queue.Queue(), queue.Queue()
        self.err_text = ""
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.put(line)
        lines.put(None)

    def line(self):
        """The next line of stdout, without its newline."""
        line = self.out.get(timeout=DEADLINE)
        if line is None:
            raise AssertionError(f"no more output; stderr: {self.rest_of(self.err)!r}")
        return line.rstrip(b"\n").decode()

    def lines(self, n):
        return [self.line() for _ in range(n)]

    def json(self):
        return json.loads(self.line())

    def says(self, text):
        """Waits until a line of stderr has `text`; answers the line."""
        while True:
            line = self.err.get(timeout=DEADLINE)
            if line is None:
                raise AssertionError(f"it ended without saying {text!r}: {self.err_text}")
            self.err_text += line.decode()
            if text in line.decode():
                return line.decode().strip()

    def bound(self):
        """The endpoint that a message command says it is bound to."""
        return self.says(" bound to ").split(" bound to ")[1]

    def write(self, text):
        self.process.stdin.write(text.encode() if isinstance(text, str) else text)
        self.process.stdin.flush()

    def end_of_input(self):
        self.process.stdin.close()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def exit_code(self):
        code = self.process.wait(timeout=DEADLINE)
        for reader in self.readers:
            reader.join(timeout=DEADLINE)
        return code

    def rest_of(self, lines):
        rest = b""
        while not lines.empty():
            rest += lines.get() or b""
        return rest.decode()

    def errors(self):
        """All of stderr, once it has ended."""
        self.err_text += self.rest_of(self.err)
        return self.err_text

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is self.process.stdin:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
            else:
                for reader in self.readers:
                    reader.join(timeout=DEADLINE)
                stream.close()


def subscription_at(xpub):
    """The next subscription; those that Busbar's own protocol needs are passed over."""
    while True:
        message = xpub.recv()
        if message[1:2] != b"\xff":
            return message


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="busbar-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def ipc(self, name):
        return "ipc://" + self.path(name)

    def file(self, name, text):
        with open(self.path(name), "wb") as out:
            out.write(text.encode() if isinstance(text, str) else text)
        return self.path(name)

    def start(self, *args, **kwargs):
        process = Process(*args, **kwargs)
        self.addCleanup(process.close)
        return process

    def device(self, kind, *args):
        """A device with a side on each of two ports that the system chose."""
        device = self.start(kind, "--frontend", "tcp://127.0.0.1:*", "--backend",
                            "tcp://127.0.0.1:*", "--json", *args)
        device.started = device.json()
        device.frontend, device.backend = (device.started[side][0] for side in ("frontend", "backend"))
        return device

    def busbar(self, *args, stdin=b"", code=0, timeout=DEADLINE):
        """Runs to the end; answers (stdout, stderr) as text."""
        done = subprocess.run([BUSBAR, *map(str, args)], input=stdin.encode()
                              if isinstance(stdin, str) else stdin, capture_output=True,
                              timeout=timeout)
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, f"busbar {args}: {out[-500:]}{err[-2000:]}")
        return out, err

    def eventually(self, condition, what):
        """Asks again and again, each time a whole exchange with a program."""
        give_up_at = time.monotonic() + DEADLINE
        while True:
            answer = condition()
            if answer:
                return answer
            if time.monotonic() > give_up_at:
                self.fail(f"never: {what}")


class StockCase(Case):
    """With plain ZeroMQ sockets, as any program in any language has them."""

    def setUp(self):
        super().setUp()
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)

    def socket(self, kind, endpoint=None, subscribe=None, **options):
        socket = self.context.socket(kind)
        self.addCleanup(socket.close, 0)
        socket.rcvtimeo = socket.sndtimeo = DEADLINE * 1000
        for name, value in options.items():
            setattr(socket, name, value)
        if subscribe is not None:
            socket.setsockopt(zmq.SUBSCRIBE, subscribe)
        if endpoint is not None:
            socket.connect(endpoint)
        return socket

    def bound(self, kind, **options):
        """A socket on a port that the system chose, and where that is."""
        socket = self.socket(kind, **options)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        return socket, f"tcp://127.0.0.1:{port}"
