#!/usr/bin/env python3
"""A program splits its own time 70/20/10 by its own clock: the profile must say the same."""

import sys
from collections import Counter

from harness import (
    MISSING, TARGET_ENVIRONMENT, UNVERIFIED, case, every, expect, expect_equal, expect_likely, main,
    parse_collapsed, samples_of, with_a_jit)

# How far a share may be from the truth. Chance alone moves the largest one by less than 0.0065 as
# standard deviation (5000 independent samples; ours are one for each millisecond, so it is less).
POINTS = 0.02
WRONG_FUNCTIONS = 0.001  # share of samples with callers that cannot have been
WRONG_LINES = 0.004  # share of samples with right callers, but a line that cannot have been


def fault_of(frames, edges, files):
    """What is wrong with a stack, seeing which calls the program makes: "functions", "lines" or None.

    The line of the innermost frame is free: a function stands on more lines than it calls from.
    What is said to be incomplete or unverified is not wrong.
    """
    known = {(caller, callee) for caller, _, callee in edges}
    frames = [frame for frame in frames if frame.function != UNVERIFIED]
    if not frames or frames[0].function == MISSING:
        return None
    calls = [(a.function, a.line, b.function) for a, b in zip(frames, frames[1:])]
    if (frames[0].function != "<module>" or not all(frame.file in files for frame in frames)
            or not all((caller, callee) in known for caller, _, callee in calls)):
        return "functions"
    return None if all(call in edges for call in calls) else "lines"


def sort_samples(lines, kinds, edges, files):
    """(samples by kind of work and by fault, the faulty ones as text)"""
    counts, faulty = Counter(), []
    for line in lines:
        kind = next((f.function for f in line.frames if f.function in kinds), "other")
        counts[kind] += line.count
        fault = fault_of(line.frames, edges, files)
        if fault:
            counts[fault] += line.count
            faulty.append(f"{line.count} x {[(f.function, f.line) for f in line.frames]}")
    return counts, faulty


@case(over=every)
def shares(work, interpreter):
    compare_shares(work, work.target(interpreter, "shares.py"))


@case(over=with_a_jit)
def shares_with_the_jit(work, interpreter):
    environment = dict(TARGET_ENVIRONMENT, PYTHON_JIT="1")
    compare_shares(work, work.target(interpreter, "shares.py", env=environment))


def truth_between(before, after):
    """The shares of the time between two answers of the program."""
    elapsed = after["elapsed"] - before["elapsed"]
    shares = {k: (after["spent"][k] - before["spent"][k]) / elapsed for k in before["spent"]}
    return dict(shares, other=1 - sum(shares.values()))


def compare_shares(work, target):
    path = work.out / "shares.collapsed"
    before = target.ask("TRUTH")
    result, stats = work.profile("attach", target.pid, "--no-gc", "-r", "1khz", "-d", "5", "-o", path)
    truth = truth_between(before, target.ask("TRUTH"))

    lines = parse_collapsed(path)
    expect_equal({(line.pid, line.tid) for line in lines}, {(target.pid, target.pid)}, "who")
    edges = set(map(tuple, target.facts["edges"]))
    counts, faulty = sort_samples(lines, truth, edges, target.facts["files"])
    total = samples_of(lines)
    expect_likely(total > 500, f"only {total} samples in 5 s at 1 kHz: {result.err}")
    expect_equal(total, stats["samples"], "samples in the file and in the stats")

    found = {kind: counts[kind] / total for kind in truth}
    report = [f"{kind}: truth {truth[kind]:.4f}, profile {found[kind]:.4f}" for kind in truth]
    report += [f"{total} samples; wrong functions {counts['functions']}, lines {counts['lines']}"]
    report += [result.err.strip(), *faulty[:12]]
    expect_likely(counts["functions"] <= WRONG_FUNCTIONS * total, "stacks that cannot have been:", *report)
    expect_likely(counts["lines"] <= WRONG_LINES * total, "callers on wrong lines:", *report)
    # What was not looked at, as the machine was busy, may have been anything. Another run may miss less.
    missed = stats["late"] / (stats["late"] + stats["ticks"])
    allowed = POINTS + (missed if work.is_last_run else 0)
    is_right = all(abs(found[kind] - truth[kind]) <= allowed for kind in truth)
    expect_likely(is_right, f"{missed:.4f} of the time was missed", *report)


if __name__ == "__main__":
    sys.exit(main())
