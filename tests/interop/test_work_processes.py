"""Pushers, streamers with credit and workers that are killed and stopped at random, under load:
nothing of a pusher that lives is lost, nothing is done twice without saying so, and of a pusher
that was killed no more is missing than it said it held."""

import collections
import json
import random
import signal
import time
import unittest

from patterns import Puller, Pusher
from support import SLOW, TIMEOUT, Case

SEED = random.randrange(1 << 32)
TROUBLES = 20
LOAD = "load 2"  # messages each 5 ms, for each pusher


class World:
    """Pushers, streamers in a row, workers. What is killed is replaced at its place. Without a
    streamer each worker is connected to each pusher."""

    def __init__(self, case, streamers):
        self.case = case
        self.chance = random.Random(SEED)
        self.made = 0
        self.dead = []
        self.stopped = []
        self.streamers = [None] * streamers
        for place in range(streamers):
            self.place_streamer(place)
        self.pushers = [None] * 3
        for place in range(3):
            self.place_pusher(place)
        self.workers = [None] * 3
        for place in range(3):
            self.place_worker(place)

    def keep(self, child):
        self.case.addCleanup(child.end)
        return child

    def way(self, place):
        """What the streamer of that place is bound to at its front, or the last one at its back."""
        return self.case.ipc(f"way{place}")

    def place_streamer(self, place):
        arguments = () if place == 0 else ("--frontend-connect", self.way(place))
        self.streamers[place] = self.case.device(
            "streamer", "--credit", *arguments, frontend=self.way(0) if place == 0 else None,
            backend=self.way(place + 1))

    def place_pusher(self, place):
        self.made += 1
        name = f"job{self.made}"
        one = (Pusher("connect", self.way(0), name) if self.streamers
               else Pusher("bind", self.case.ipc(f"pusher{place}"), name))
        self.pushers[place] = self.keep(one)
        one.tell(LOAD)

    def place_worker(self, place):
        ends = ([self.way(len(self.streamers))] if self.streamers
                else [self.case.ipc(f"pusher{place}") for place in range(3)])
        self.workers[place] = self.keep(Puller(*ends))

    def trouble(self):
        """One process is stopped or killed; what was stopped before goes on."""
        self.go_on()
        kinds = [(self.pushers, self.place_pusher), (self.workers, self.place_worker)]
        if self.streamers:
            kinds.append((self.streamers, self.place_streamer))
        kind, place_anew = self.chance.choice(kinds)
        place = self.chance.randrange(len(kind))
        if self.chance.random() < 0.5:
            kind[place].kill(signal.SIGSTOP)
            self.stopped.append(kind[place])
            return
        self.kill(kind[place])
        place_anew(place)

    def kill(self, child):
        child.kill()
        child.wait()
        self.dead.append(child)

    def go_on(self):
        for child in self.stopped:
            child.kill(signal.SIGCONT)
        self.stopped.clear()

    def finish(self):
        """All that pushers which live have pushed is done, and we have read what the workers did."""
        self.go_on()
        for one in self.pushers:
            one.tell("load 0")
        for one in self.pushers:
            one.flush()
        for one in self.workers:
            one.report()

    def attempts(self):
        """Of each work the attempts at which it was done, by whomever."""
        attempts = collections.defaultdict(list)
        for child in self.dead + self.workers:
            if isinstance(child, Puller):
                for name, attempt in child.did():
                    attempts[name].append(attempt)
        return attempts


class Processes(Case):
    def check(self, world):
        for child in world.dead + world.pushers + world.workers:
            self.assertEqual([line for line in child.lines() if line.startswith("wrong")], [])
        attempts = world.attempts()
        twice = {name: tried for name, tried in attempts.items() if len(set(tried)) < len(tried)}
        self.assertEqual(twice, {}, "done twice as the same attempt")
        for one in world.pushers:
            ledger = one.report()
            self.assertEqual(ledger["done"], ledger["pushed"])
            self.assertEqual(ledger["lost"] + ledger["given_up"], 0)
            self.assertEqual(self.missing(one, ledger, attempts), [])
        for one in world.dead:
            if isinstance(one, Pusher):
                ledger = one.last_report()
                self.assertLessEqual(len(self.missing(one, ledger, attempts)),
                                     ledger["waiting"] + ledger["out"])
        for one in world.workers:
            self.assertEqual(one.report()["held"], 0)
        for one in world.streamers:
            ledger = one.wait_ledger(lambda ledger: ledger["backend"]["held"] == 0)
            self.assertTrue(ledger["reconciles"], json.dumps(ledger))
        return attempts

    @staticmethod
    def missing(pusher, ledger, attempts):
        names = (f"{pusher.name}.{number + 1}" for number in range(ledger["pushed"]))
        return [name for name in names if name not in attempts]

    def wait_report(self, child, holds):
        deadline = time.monotonic() + TIMEOUT
        while True:
            ledger = child.report()
            if holds(ledger):
                return ledger
            self.assertLess(time.monotonic(), deadline, ledger)

    def trouble_with(self, streamers):
        with self.subTest(seed=SEED):
            world = World(self, streamers)
            for _ in range(TROUBLES):
                world.trouble()
                # How long each trouble lasts: nothing is waited for.
                time.sleep(world.chance.random() * 0.4 * SLOW)
            world.finish()
            self.assertGreater(len(self.check(world)), 1000)

    def test_directly_nothing_is_lost_and_nothing_comes_twice_silently(self):
        self.trouble_with(streamers=0)

    def test_nor_through_a_streamer_with_credit(self):
        self.trouble_with(streamers=1)

    def test_nor_through_two_of_them(self):
        self.trouble_with(streamers=2)

    def test_a_streamer_that_was_silent_for_too_long_is_believed_no_more(self):
        world = World(self, 1)
        for one in world.pushers:
            self.wait_report(one, lambda ledger: ledger["done"] > 0)
        world.streamers[0].kill(signal.SIGSTOP)
        for one in world.pushers:
            self.wait_report(one, lambda ledger: ledger["workers"] == 0)
        world.streamers[0].kill(signal.SIGCONT)
        world.finish()
        self.check(world)
        self.assertGreater(sum(one.report()["redelivered"] for one in world.pushers), 0)

    def test_a_restarted_pusher_gets_the_workers_of_the_one_that_was_killed(self):
        world = World(self, 0)
        for one in world.pushers:
            self.wait_report(one, lambda ledger: ledger["workers"] == 3 and ledger["done"] > 0)
        for place in range(3):
            world.kill(world.pushers[place])
            world.place_pusher(place)
        for one in world.pushers:
            self.wait_report(one, lambda ledger: ledger["workers"] == 3 and ledger["done"] > 0)
        world.finish()
        self.check(world)


if __name__ == "__main__":
    unittest.main()
