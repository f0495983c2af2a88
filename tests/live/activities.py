"""Watches programs/states.py: the states of its samples, and each mode, against what it says itself."""

import json
from collections import Counter

from harness import expect, expect_equal, expect_likely, expect_status

# How far a share may be from the truth: chance moves it less, see test_shares.py.
POINTS = 0.02
SECONDS = 4

# What each activity of programs/states.py is.
HOLDS_GIL = ("spin", "handle_in_generator", "collect")
HANDLES = ("handle", "handle_in_generator")
ACTIVITIES = (*HOLDS_GIL, "sleep", "compute", "handle")


def samples_in(path):
    """[(functions root first, state, seconds)] of a jsonl file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        ([frame["function"] for frame in row["stack"]], set(row.get("state", ())),
         row["duration_ns"] / 1e9)
        for row in rows if row["type"] == "samples"]


def share(samples, fits):
    """The share of the time of those samples that fit: fits(functions, state)."""
    total = sum(seconds for _, _, seconds in samples)
    return sum(seconds for names, state, seconds in samples if fits(names, state)) / total


def truth_between(before, after, clock, total):
    """Seconds of a clock for each activity, and "other" for what is between them."""
    seconds = {k: after[clock][k] - before[clock][k] for k in before[clock]}
    return dict(seconds, other=after[total] - before[total] - sum(seconds.values()))


def share_of(seconds, names):
    return sum(seconds[name] for name in names) / sum(seconds.values())


def activity_of(names):
    """Which of the program's activities a stack is in."""
    return next((name for name in names[3:4] if name in ACTIVITIES), "other")


class Watch:
    """A run of the profiler beside the program, and what the program says of that time."""

    def __init__(self, work, target, *options, pid=None):
        self.work, self.target = work, target
        path = work.out / "p.jsonl"
        before = target.ask("TRUTH")
        self.result, self.stats = work.profile(
            "attach", pid or target.pid, "-r", "1khz", "-d", SECONDS, "-o", path, *options)
        after = target.ask("TRUTH")
        self.wall = truth_between(before, after, "spent", "elapsed")
        self.cpu = truth_between(before, after, "used", "cpu")
        self.samples = samples_in(path)
        # What was not looked at, as the machine was busy, may have been anything.
        self.missed = self.stats["late"] / (self.stats["late"] + self.stats["ticks"])

    def expect_shares(self, rows):
        """rows: [(what, share found, share wanted)]"""
        allowed = POINTS + (self.missed if self.work.is_last_run else 0)
        report = [f"{what}: found {found:.4f}, wanted {wanted:.4f}" for what, found, wanted in rows]
        is_right = all(abs(found - wanted) <= allowed for _, found, wanted in rows)
        expect_likely(is_right, f"{self.missed:.4f} of the time was missed", *report,
                      self.result.err.strip())

    def expect_cpu(self, samples, total):
        """The CPU time of each activity, as a share of all time: `samples` are those on a CPU."""
        elapsed = sum(self.wall.values())
        rows = []
        for name, used in self.cpu.items():
            found = sum(s for names, _, s in samples if activity_of(names) == name)
            rows.append((f"CPU time in {name}", found / total, used / elapsed))
        self.expect_shares(rows)

    def expect_states(self):
        """What the samples say, of whatever mode."""
        samples, wall = self.samples, self.wall
        total = sum(seconds for _, _, seconds in samples)
        self.expect_shares([
            ("has the GIL", share(samples, lambda _, state: "has_gil" in state),
             share_of(wall, (*HOLDS_GIL, "other"))),
            ("handles an exception", share(samples, lambda _, state: "exception" in state),
             share_of(wall, HANDLES)),
            ("sleeps in a handler", share(
                samples, lambda names, state: "exception" in state and "sleep" in names),
             share_of(wall, ("handle",))),
            ("in the collector", share(samples, lambda names, _: names[-1] == "<GC>"),
             share_of(wall, ("collect",))),
            ("waits", share(samples, lambda _, state: "waiting" in state),
             share_of(wall, ("sleep", "handle"))),
        ])
        self.expect_cpu([s for s in samples if "running" in s[1]], total)


def expect_states_and_modes(work, target):
    """What the samples say; and what each mode makes of the same recording."""
    recording = work.out / "p.pyro"
    watch = Watch(work, target, "-o", recording)
    samples = watch.samples
    watch.expect_states()
    wrong = share(samples, lambda names, state: (names[-1] == "<GC>") != ("collecting" in state))
    expect(wrong == 0, f"{wrong:.4f} of the time the state and the stack disagree on the collector")
    for mode, state in (("wall", None), ("cpu", "running"), ("gil", "has_gil"), ("exception", "exception")):
        kept = replayed(work, recording, "--mode", mode)
        wanted = [s for s in samples if state is None or state in s[1]]
        expect_equal(seconds_by_stack(kept), seconds_by_stack(wanted), f"replay --mode {mode}")


def replayed(work, recording, *options):
    path = work.folder / "replayed.jsonl"
    expect_status(work.pyrometer("replay", recording, "-o", path, *options), 0)
    return samples_in(path)


def seconds_by_stack(samples):
    totals = Counter()
    for names, state, seconds in samples:
        totals[";".join(names), ",".join(sorted(state))] += seconds
    return {key: round(seconds, 6) for key, seconds in totals.items()}
