#!/usr/bin/env python3
"""Stacks by task together with every other option: the shares of what tasks do, by the program's account."""

import json
import marshal
import signal
import sys
import time
from collections import Counter

from harness import case, expect, expect_likely, expect_status, main, two

POINTS = 0.02  # as of test_shares.py
SECONDS = 3
# Functions of the program, and the tasks that they belong to.
COMPUTING = {"crunch": "cruncher", "mend": "mender"}
WAITING = ("rest", "recover")


def short(function):
    """Python tells qualified names from 3.11 on."""
    return function.split(".")[-1]


def samples_in(path):
    """[(functions root first, the leaf, seconds)] of a jsonl file; tasks that wait share its time."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [([short(frame["function"]) for frame in row["stack"]], row["stack"][-1], row["duration_ns"] / 1e9)
            for row in rows if row["type"] == "samples"]


def seconds_in(path):
    """Seconds of each function of a pstats file, of all who are in it."""
    totals = Counter()
    for (_, _, name), (_, _, _, seconds, _) in marshal.loads(path.read_bytes()).items():
        totals[short(name)] += seconds
    return totals


class Run:
    """A profile of the mix, and what it tells itself of that time."""

    def __init__(self, work, target, *options):
        self.work = work
        self.recording, live, stats = work.out / "p.pyro", work.out / "p.pstats", work.folder / "stats.json"
        profiler = work.profiler("attach", "--async-aware", *options, "-m", "exception", "-o", self.recording,
                                 "-o", live, "--stats", stats, target.pid)
        profiler.wait_until_it_samples()
        before = target.ask("TRUTH")
        time.sleep(SECONDS)
        after = target.ask("TRUTH")
        profiler.signal(signal.SIGINT)
        expect_status(profiler.finish(), 0)
        self.stats = json.loads(stats.read_text())
        self.live = seconds_in(live)
        self.truth = {what: {name: (after[what][name] - before[what][name]) / (after["elapsed"] - before["elapsed"])
                             for name in after[what]} for what in ("spent", "used")}
        # What was not looked at, as the machine was busy, may have been anything.
        self.missed = self.stats["late"] / (self.stats["late"] + self.stats["ticks"])

    def replayed(self, mode, *options):
        path = self.work.folder / f"{mode}.pstats"
        expect_status(self.work.pyrometer("replay", self.recording, "-m", mode, *options, "-o", path), 0)
        return seconds_in(path)

    def samples(self):
        path = self.work.folder / "wall.jsonl"
        expect_status(self.work.pyrometer("replay", self.recording, "-m", "wall", "-o", path), 0)
        return samples_in(path)

    def expect_shares(self, what, seconds, wanted):
        """Of the time, of which those who wait together have more than one; a function that is not wanted
        has no part in it."""
        names = [*COMPUTING, *WAITING]
        found = {name: seconds[name] / self.stats["duration_s"] for name in names}
        points = POINTS + (self.missed if self.work.is_last_run else 0)
        told = [f"{name}: found {found[name]:.4f}, told {wanted.get(name, 0):.4f}" for name in names]
        print(f"# {what}: {'; '.join(told)}, {self.missed:.4f} missed")
        is_right = all(abs(found[name] - wanted.get(name, 0)) <= points * max(1, wanted.get(name, 0))
                       for name in names)
        expect_likely(is_right, what, *told)

    def expect_modes(self, shows_waiting):
        """What each mode tells of the same recording; exception while it was made."""
        spent = self.truth["spent"]
        waits = {name: spent[name] for name in WAITING if shows_waiting}
        computed = {name: spent[name] for name in COMPUTING}
        handled = {name: spent[name] for name in ("mend", "recover") if name in computed or name in waits}
        self.expect_shares("wall", self.replayed("wall"), {**computed, **waits})
        self.expect_shares("cpu", self.replayed("cpu"), self.truth["used"])
        self.expect_shares("gil", self.replayed("gil"), computed)
        self.expect_shares("exception", self.live, handled)
        return self.expect_tasks()

    def expect_tasks(self):
        """Whatever a task computes is told to be its own. With --native a thread is looked at anew, and may
        be in a task by then that was not seen: so few of them have no name."""
        samples = self.samples()
        wrong, total = Counter(), 0
        for names, _, seconds in samples:
            for function in set(COMPUTING) & set(names):
                total += seconds
                if names[:2] != [f"<task {COMPUTING[function]}>", COMPUTING[function]]:
                    wrong[";".join(names)] += seconds
        limit = 0.05 + (self.missed if self.work.is_last_run else 0)
        expect_likely(sum(wrong.values()) <= limit * total, "functions outside of their task:", wrong.most_common(5))
        return samples


def in_a_tree(work, interpreter):
    """A target whose parent is no Python."""
    return work.target_of(["sh", "-c", '"$@"; true', "sh", *work.command(interpreter, "taskmix.py")])


def expect_instructions(target, samples):
    """The instruction of a leaf is one of its line; a coroutine that has not begun is at none."""
    checked = Counter()
    for _, leaf, _ in samples:
        function = short(leaf["function"])
        lines = target.facts["lines"].get(function)
        if lines is not None and ("opcode" in leaf or leaf["line"] != leaf["first_line"]):
            expect("opcode" in leaf, f"no instruction: {leaf}")
            line = lines.get(str(leaf["offset"]))
            expect(line in (leaf["line"], None), f"of line {line}: {leaf}")
            checked[function] += line is not None
    return checked


@case(over=two)
def running_with_modes_children_and_opcodes(work, interpreter):
    target = in_a_tree(work, interpreter)
    run = Run(work, target, "--async-mode", "running", "-s", "--opcodes")
    samples = run.expect_modes(shows_waiting=False)
    expect_likely(expect_instructions(target, samples)["compute"], "no instruction was seen")


@case(over=two)
def waiting_with_modes_children_and_opcodes(work, interpreter):
    target = in_a_tree(work, interpreter)
    run = Run(work, target, "--async-mode", "all", "-s", "--opcodes")
    samples = run.expect_modes(shows_waiting=True)
    checked = expect_instructions(target, samples)
    expect_likely(checked["compute"] and checked["sleep"], "no instructions were seen", checked)


@case(over=two)
def running_with_native_frames(work, interpreter):
    run = Run(work, work.target(interpreter, "taskmix.py"), "--async-mode", "running", "--native", "-r", "500")
    run.expect_modes(shows_waiting=False)


@case(over=two)
def waiting_with_native_frames(work, interpreter):
    run = Run(work, work.target(interpreter, "taskmix.py"), "--async-mode", "all", "--native", "-r", "500")
    run.expect_modes(shows_waiting=True)


@case(over=two)
def waiting_in_one_thread_and_selections(work, interpreter):
    """Of a thread that is wanted the tasks are; a recording is shown for some tasks, or for those that wait."""
    target = work.target(interpreter, "taskmix.py")
    run = Run(work, target, "--async-mode", "all", "-t", "MainThread")
    run.expect_modes(shows_waiting=True)
    whole = run.replayed("wall")
    for mode, options, kept in (("wall", ["--include", "<task patient>"], ("recover",)),
                                ("wall", ["--exclude", "<task patient>"], ("crunch", "mend")),
                                ("wall", ["-t", "MainThread, waiting"], ("recover",)),
                                ("exception", [], ("mend", "recover"))):
        found = run.replayed(mode, *options)
        wrong = [f"{name}: found {found[name]:.4f}, of {whole[name]:.4f}" for name in (*COMPUTING, "recover")
                 if abs(found[name] - (whole[name] if name in kept else 0)) > 0.02 * whole[name] + 0.005]
        expect(not wrong, f"{mode} {options}:", *wrong)


if __name__ == "__main__":
    sys.exit(main())
