"""Publishers, forwarders and subscribers that are killed and stopped at random, under load: every
message of a publisher that lives is delivered in order and once, or told as a gap."""

import random
import signal
import time
import unittest

from patterns import Publisher, Subscriber
from support import SLOW, TIMEOUT, Case

SEED = random.randrange(1 << 32)
TROUBLES = 30
LOAD = "load 20"  # messages each 5 ms, for each publisher


class World:
    """Publishers, two forwarders in a row, subscribers. What is killed is replaced at its place."""

    def __init__(self, case, batch):
        self.case = case
        self.chance = random.Random(SEED)
        self.batch = batch
        self.made = 0
        self.wrong = []
        self.hubs = [None, None]
        for place in range(2):
            self.place_hub(place)
        self.publishers = [self.new_publisher() for _ in range(3)]
        self.subscribers = [self.new_subscriber() for _ in range(3)]
        self.stopped = []

    def place_hub(self, place):
        case = self.case
        front = case.ipc("in") if place == 0 else None
        arguments = () if place == 0 else ("--frontend-connect", case.ipc("middle"))
        self.hubs[place] = case.device("forwarder", *arguments, frontend=front, control=None,
                                       backend=case.ipc("middle" if place == 0 else "out"))

    def keep(self, child):
        self.case.addCleanup(child.end)
        return child

    def new_publisher(self):
        self.made += 1
        one = self.keep(Publisher("connect", self.case.ipc("in"), f"load.{self.made}", *self.batch))
        one.tell(LOAD)
        return one

    def new_subscriber(self):
        return self.keep(Subscriber(self.case.ipc("out"), "load.>"))

    def trouble(self):
        """One process is stopped or killed; what was stopped before goes on."""
        for child in self.stopped:
            child.kill(signal.SIGCONT)
        self.stopped.clear()
        kind = self.chance.choice((self.publishers, self.hubs, self.subscribers))
        place = self.chance.randrange(len(kind))
        if self.chance.random() < 0.6:
            kind[place].kill(signal.SIGSTOP)
            self.stopped.append(kind[place])
            return
        kind[place].kill()
        kind[place].wait()
        self.wrong += [line for line in kind[place].lines() if line.startswith("wrong")]
        if kind is self.hubs:
            self.place_hub(place)
        else:
            kind[place] = (self.new_publisher if kind is self.publishers
                           else self.new_subscriber)()

    def calm(self):
        """The last message comes when all know all: of a publisher that a subscriber met after that
        it is owed nothing."""
        for child in self.stopped:
            child.kill(signal.SIGCONT)
        self.reports_past({one.id: 0 for one in self.publishers})
        for one in self.publishers:
            one.tell("load 0")  # the loss of a last message is seen all the same

    def reports_past(self, heads):
        """The subscribers' reports, once each knows all publishers, and has come to their heads."""
        deadline = time.monotonic() + 4 * TIMEOUT
        while True:
            reports = [one.report() for one in self.subscribers]
            if all(name in seen and seen[name]["next"] >= head
                   for seen, _ in reports for name, head in heads.items()):
                return reports
            if time.monotonic() > deadline:
                raise AssertionError(f"heads {heads}, but the subscribers saw {reports}")


class Processes(Case):
    def trouble_for(self, *batch):
        world = World(self, batch)
        for _ in range(TROUBLES):
            world.trouble()
            # How long each trouble lasts: nothing is waited for.
            time.sleep(world.chance.random() * 0.4 * SLOW)
        world.calm()
        reports = world.reports_past({one.id: one.head() for one in world.publishers})
        for one in world.subscribers:
            world.wrong += [line for line in one.lines() if line.startswith("wrong")]
        self.assertEqual(world.wrong, [])
        delivered = 0
        for seen, ledger in reports:
            for name, one in seen.items():
                self.assertEqual(one["next"] - one["first"], one["delivered"] + one["lost"], name)
            self.assertEqual(ledger["malformed"], 0)
            self.assertEqual(ledger["received"], ledger["delivered"] + ledger["duplicates"]
                             + ledger["waiting"])
            delivered += ledger["delivered"]
        self.assertGreater(delivered, 1000)

    def test_nothing_is_lost_silently(self):
        for batch in ((), ("batch",)):
            with self.subTest(seed=SEED, batch=batch):
                self.trouble_for(*batch)
                self.doCleanups()
                self.setUp()


if __name__ == "__main__":
    unittest.main()
