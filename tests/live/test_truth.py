#!/usr/bin/env python3
"""Stacks that cannot have been, shares that are not so: the profile against programs of known truth.

The programs are in tests/truth/; tests/bench/ asks the same with more patience. What must hold is in
BOUNDS below. Nothing here is about time: a slow machine gives fewer samples, not other ones.
"""

import math
import os
import sys
from dataclasses import dataclass, field

from harness import PYROMETER, Skip, case, each_version, every, expect, main, parse_collapsed
from harness import interpreters

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "truth"))
import calltree  # noqa: E402
import distance  # noqa: E402
import reference  # noqa: E402
import targets  # noqa: E402
from judge import Frame, Judge, Verdict, describe  # noqa: E402

SLOW, FLAT_OUT = "10khz", "1mhz"
SECONDS = 1.5  # of each run
REFERENCE_LOOKS, REFERENCE_SECONDS = 300, 8
# What chance may add to a bound on a share: so many standard deviations.
DEVIATIONS = 3
# Smaller than in tests/bench: of a short run, the first sight of a thousand calls would be a good part.
SMALLER = {"plain": ("--depth", "6"), "wide": ("--fanout", "10")}
# The trees of these forms are of plain calls, which the bytecode proves from 3.11 on.
PROVEN_FORMS, PROVEN_MINOR = {"plain", "deep", "wide"}, 11
# Here hardly a call says by itself whom it calls, and most are over before they could be seen twice:
# what is shown as verified must be right, and that is all.
UNPROVABLE_FORMS = {"mixed", "asyncio"}
# Of fewer samples the first sight of each call is a good part.
SETTLED = 5000


@dataclass
class Run:
    """One run of the profiler on one program."""

    form: str
    minor: int
    rate: str
    stats: dict
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def is_proven(self):
        return self.form in PROVEN_FORMS and self.minor >= PROVEN_MINOR

    @property
    def is_provable(self):
        return self.form not in UNPROVABLE_FORMS

    @property
    def has_settled(self):
        return self.stats["samples"] >= SETTLED

    def lost(self):
        return self.stats["lost"], self.stats["lost"] + self.stats["samples"]

    def unverified(self):
        return self.stats["unverified"], self.stats["samples"]

    def impossible(self):
        return self.verdict.impossible, self.verdict.samples


# What must hold of every run: (what, (count, of how many) in a run, the most, which runs).
# Every count may be more by DEVIATIONS. What cannot have been may hardly be; what is not verified or lost
# at first depends on how much of the program this machine lets us see, so of that only a lot is wrong.
BOUNDS = (
    ("impossible stacks shown as verified", Run.impossible, 1e-5, lambda run: True),
    ("samples lost", Run.lost, 2e-2, lambda run: run.has_settled),
    ("samples not verified", Run.unverified, 3e-2, lambda run: run.has_settled and run.is_proven),
    ("samples not verified", Run.unverified, 2e-1,
     lambda run: run.has_settled and run.is_provable and not run.is_proven),
)
# The share of half of the time, and distances to the stopped reference, beside what chance gives.
POINTS, VARIATION = 0.01, 0.03


def allowed(most, of):
    expected = most * of
    return expected + DEVIATIONS * math.sqrt(expected)


def broken_bounds(run):
    for what, count_in, most, concerns in BOUNDS:
        count, of = count_in(run)
        if concerns(run) and count > allowed(most, of):
            yield f"{run.rate}: {what}: {count} of {of}, may be {most:g}"


def attach(work, running, rate, seconds):
    """([(frames, count)], stats)"""
    path = work.out / f"{rate}.collapsed"
    _, stats = work.profile(
        "attach", running.target.pid, "--no-gc", "-r", rate, "-d", seconds, "-o", path,
        prefix=targets.pinned(targets.cores()[1]))
    return [(line.frames, line.count) for line in parse_collapsed(path)], stats


def enter(interpreter):
    return interpreters.enter_command(interpreter.root)


def judge_form(work, interpreter, form):
    running = targets.start_tree(work, interpreter, enter(interpreter), form, *SMALLER.get(form, ()))
    complaints, facts = [], []
    for rate in (SLOW, FLAT_OUT):
        stacks, stats = attach(work, running, rate, SECONDS)
        verdict = running.judge.judge(stacks)
        run = Run(form, interpreter.minor, rate, stats, verdict)
        expect(verdict.samples == stats["samples"] > 0, "samples in the file and in the stats:", str(stats))
        complaints += broken_bounds(run)
        facts += [f"{rate}: {verdict}"[:400], *map(describe, verdict.examples)]
    expect(not complaints, *complaints, *facts)


@case()
def the_judge_itself(work):
    """It lets pass what the program does, and nothing that differs from it in one frame."""
    _, truth = calltree.program("plain", calltree.options_of(["--depth", "3"]))
    names = ["f_3"]
    while names[0] != "<module>":
        names.insert(0, truth.functions[names[0]].caller)
    lines = [truth.functions[name].call_line for name in names[1:]] + [truth.functions["f_3"].last_line]
    legal = [Frame(name, "x.py", line) for name, line in zip(names, lines)]
    judge = Judge(truth, "x.py")
    for depth in range(1, len(legal) + 1):
        expect(judge.complain(legal[:depth]) == (None, None), f"complains of {legal[:depth]}")
    for at in range(len(legal)):
        moved, other = list(legal), list(legal)
        moved[at] = legal[at]._replace(line=legal[at].line + 1000)
        other[at] = legal[at]._replace(function="f_9")
        expect(judge.complain(moved)[0] == "line", f"lets pass {moved}")
        expect(judge.complain(other)[0] == "function", f"lets pass {other}")
        expect(not at or judge.complain(legal[at:])[0] == "function", f"lets pass {legal[at:]}")
    marked = judge.judge([((*other, Frame("<unverified>", "", 0)), 3), (tuple(moved), 2)])
    expect((marked.unverified, marked.wrong_function, marked.wrong_line) == (3, 0, 2), str(marked))


def few():
    """The oldest, 3.11 and the newest: the frames of each are found in another way."""
    found = each_version()
    return list(dict.fromkeys(i for i in found if i in (found[0], found[-1]) or i.minor == 11))


def make_case(form):
    def judged(work, interpreter):
        judge_form(work, interpreter, form)

    judged.__name__ = f"stacks_of_form_{form}"
    case(over=every if form == "plain" else few)(judged)


for name in calltree.FORMS:
    make_case(name)


@case(over=few)
def half_of_the_time(work, interpreter):
    running = targets.start_shares(work, interpreter, enter(interpreter))
    for rate, seconds in (("1khz", 4), (SLOW, 3)):
        before = running.board.read()
        stacks, stats = attach(work, running, rate, seconds)
        truth = targets.share_of_calls(before, running.board.read())
        found, samples = targets.share_of_samples(stacks)
        chance = DEVIATIONS * math.sqrt(truth * (1 - truth) / max(samples, 1))
        # What was not looked at, as this machine was busy, may have been anything.
        missed = stats["late"] / (stats["late"] + stats["ticks"])
        expect(abs(found - truth) <= POINTS + chance + missed,
               f"{rate}: calls take {truth:.4f} of the time, the profile says {found:.4f} of {samples} samples",
               f"chance gives {chance:.4f}, missed were {missed:.4f}: {stats}")


@case(over=few)
def distance_to_the_stopped_reference(work, interpreter):
    running = targets.start_tree(work, interpreter, enter(interpreter), "plain", "--depth", "4")
    before = targets.waited_ns(running.target.pid)
    stacks, stats = attach(work, running, SLOW, 2)
    # While it waits for a core its stack is the same: that can move the distribution by its share.
    waited = (targets.waited_ns(running.target.pid) - before) / 1e9 / stats["duration_s"]
    stopped = reference.sample_stopped(running.target.pid, PYROMETER, REFERENCE_LOOKS, REFERENCE_SECONDS)
    if len(stopped) < REFERENCE_LOOKS / 10:
        raise Skip(f"only {len(stopped)} looks in {REFERENCE_SECONDS} s: too slow a machine to say anything")
    truth = running.judge.judge(stopped)
    expect(not truth.impossible, "even standing still:", *map(describe, truth.examples))
    found = running.judge.judge(stacks)
    for what in ("levels", "leaves"):
        one, other = getattr(found, what), getattr(truth, what)
        far, chance = distance.total_variation(one, other), distance.expected_by_chance(one, other)
        # The distance of two samples is hardly ever twice of what chance makes it on average.
        expect(far <= VARIATION + 2 * chance + waited,
               f"{what}: {far:.3f} from the reference; chance gives {chance:.3f}, waiting at most {waited:.3f}",
               f"running {sorted(one.items())}", f"stopped {sorted(other.items())}")


if __name__ == "__main__":
    sys.exit(main())
