"""Our patterns as processes that a test talks to, line by line."""

import collections
import os

from support import Child

FOLDER = os.environ.get("BUSBAR_PATTERNS", ".")


class Side(Child):
    def __init__(self, program, *arguments):
        super().__init__(*arguments, program=os.path.join(FOLDER, program), talk=True)

    def ask(self, question, answer):
        """The lines behind the question up to the first that begins with `answer`."""
        asked_at = len(self.lines())
        self.tell(question)
        self.wait_line("out", lambda line: line.startswith(answer), asked_at)
        lines = self.lines()[asked_at:]
        return lines[:1 + next(i for i, line in enumerate(lines) if line.startswith(answer))]


class Publisher(Side):
    def __init__(self, way, endpoint, topic, *batch):
        super().__init__("pattern_publisher", way, endpoint, topic, *batch)
        self.endpoint = endpoint
        if way == "bind":
            self.endpoint = self.wait_line("out", lambda line: line.startswith("bound ")).split()[1]
        self.id = self.wait_line("out", lambda line: line.startswith("id ")).split()[1]

    def head(self):
        """The number of its next message."""
        return int(self.ask("head", "head")[-1].split()[2])


class Subscriber(Side):
    def __init__(self, endpoint, pattern, *prints):
        super().__init__("pattern_subscriber", endpoint, pattern, *prints)

    def report(self):
        """What it saw of each publisher by its id, and its ledger, as dictionaries of numbers."""
        *publishers, ledger = (line.split() for line in self.ask("report", "reported")
                               if line.startswith(("publisher ", "reported ")))
        seen = {words[1]: numbers(words[2:]) for words in publishers}
        return seen, numbers(ledger[1:])


class Pusher(Side):
    def __init__(self, way, endpoint, name):
        super().__init__("pattern_pusher", way, endpoint, name)
        self.name = name

    def report(self):
        return ledger_of(self.ask("report", "report "))

    def last_report(self):
        """What it said of itself last, at most 50 ms before it was killed; empty where nothing."""
        said = [line for line in self.lines() if line.startswith("report ")]
        return ledger_of(said) if said else collections.Counter()

    def flush(self):
        self.ask("flush", "flushed")


class Puller(Side):
    def __init__(self, *endpoints):
        super().__init__("pattern_puller", *endpoints)

    def report(self):
        return ledger_of(self.ask("report", "report "))

    def did(self):
        """Each work that it did: name and attempt."""
        for line in self.lines():
            if line.startswith("did "):
                _, name, attempt = line.split()
                yield name, int(attempt)


def ledger_of(lines):
    return numbers(lines[-1].split()[1:])


def numbers(words):
    return dict(zip(words[::2], map(int, words[1::2])))
