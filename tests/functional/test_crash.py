#!/usr/bin/env python3
"""The leader is killed (SIGKILL) the moment it has written a certain line of a repair, and another one finishes the repair:
the same program started anew, or one that stood by. Nothing that must not be repeated reaches a server twice.

A sample runs by default; with MAH_CRASH=all the leader is killed after every single question and act of both ways of
replacing a worker (make check-crash; a few minutes).
"""
import os
import signal
import unittest

from harness import Case, Healer, until

HOW = {"in-place": "stack-update", "resize": "resize"}
LINES_MAX = {"in-place": 30, "resize": 32}  # more than a replacement of that kind ever has

# (how, the line after which the leader dies, whether another stands by)
SAMPLE = [
    ("in-place", ("act", "cordon"), False),
    ("in-place", ("act", "reboot"), True),
    ("in-place", ("look", "look-stop"), False),
    ("in-place", ("act", "stop"), True),
    ("in-place", ("act", "mark-unhealthy"), False),
    ("in-place", ("look", "look-update"), False),
    ("in-place", ("act", "update-stack"), True),
    ("in-place", ("look", "wait-stack"), False),
    ("in-place", ("act", "uncordon"), False),
    ("resize", ("act", "stop"), False),
    ("resize", ("act", "resize"), True),
    ("resize", ("look", "wait-settled"), False),
    ("resize", ("look", "find-new"), False),
    ("resize", ("act", "forget-node"), True),
]


class Mortal(Healer):
    """Dies by SIGKILL after the line that is_last() chooses."""

    def __init__(self, config, is_last, **options):
        self.is_last = is_last
        self.died_after = None
        super().__init__(config, **options)

    def heard(self, line):
        if self.died_after is None and line["component"] == "repair" and line["msg"] in ("act", "look"):
            if self.is_last(line):
                self.process.send_signal(signal.SIGKILL)
                self.died_after = "%s %s" % (line["msg"], line["step"])


class Crash(Case):
    def crash(self, how, is_last, has_standby):
        world = self.world()
        config = self.config(world, policy={"worker-replacement": how})
        names = world.node_names()
        first = Mortal(config, is_last, name="first")
        self.addCleanup(self._end, first)
        self.sees(first)
        second = self.healer(config, name="standby") if has_standby else None
        node, old = names[1], world.server_of(names[1])
        world.break_kubelet(node, "replace")
        until("it is killed", lambda: first.process.poll() is not None or self.is_closed(world), 70, 0.2)
        if first.died_after is None:
            self.skipTest("the whole repair has fewer lines")
        second = second or self.healer(config, name="second")
        until("the repair is finished after %s" % first.died_after, lambda: self.is_over(world, names), 120, 0.5, [second])
        self.assert_right(world, how, node, old)

    @staticmethod
    def is_closed(world):
        return (world.state() or {}).get("past")

    def is_over(self, world, names):
        """Three workers, all well, nothing under way, the case closed."""
        state = world.state()
        workers = world.node_names()
        return (state and not state["ops"] and not state["cases"] and state["past"] and len(workers) == len(names)
                and all(world.is_well(n) for n in workers))

    def assert_right(self, world, how, node, old):
        servers = world.servers()
        self.assertNotIn(old["id"], [s["id"] for s in servers])
        fresh = [s["node"] for s in servers if s["role"] == "worker"]
        if how == "in-place":
            self.assertIn(node, fresh)
            self.assertEqual(world.server_of(node)["address"], old["address"])
            self.assert_touched_only(world, node)
        else:
            self.assertNotIn(node, fresh)
            self.assertIsNone(world.node(node))
            self.assert_touched_only(world, node, *fresh[-1:])
        self.assertEqual(len(world.acts(HOW[how])), 1, world.acts())
        self.assertLessEqual(len(world.acts("reboot-soft")), 1)
        self.assertEqual(len(world.acts("stop")), 1)


def after_step(how, wanted, has_standby):
    def test(self):
        self.crash(how, lambda line: (line["msg"], line["step"]) == wanted, has_standby)
    return test


def after_line(how, number, has_standby):
    def test(self):
        seen = []

        def is_last(line):
            seen.append(line)
            return len(seen) == number
        self.crash(how, is_last, has_standby)
    return test


def make_tests():
    if os.environ.get("MAH_CRASH") == "all":
        for how, most in LINES_MAX.items():
            for number in range(1, most + 1):
                setattr(Crash, "test_%s_after_line_%02d" % (how.replace("-", "_"), number),
                        after_line(how, number, number % 2 == 0))
        return
    for how, wanted, has_standby in SAMPLE:
        name = "test_%s_after_%s_%s" % (how, *wanted)
        setattr(Crash, name.replace("-", "_"), after_step(how, wanted, has_standby))


make_tests()

if __name__ == "__main__":
    unittest.main()
