#!/usr/bin/env python3
"""Three threads want the GIL while a fourth one holds it: they must be said to have waited for it."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

from harness import (
    case, each_default, expect, expect_equal, expect_likely, expect_status, main, parse_collapsed, three, two)

POINTS = 0.03  # how far a share of the time may be from the truth
SECONDS = 3
WAITERS = [f"waiter-{number}" for number in range(3)]


def blamed(path, waiter, function):
    """Time for which a thread waited while that function held the GIL, of a jsonl file: what is counted in
    samples is at least one, however short it was."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return sum(
        row["duration_ns"] for row in rows if row["type"] == "samples" and row["thread"] == waiter
        and any(frame["function"] == function for frame in row["stack"])) / 1e9


def delays_of(target):
    """For how long each thread has waited for a CPU."""
    return {
        name: int(Path(f"/proc/{target.pid}/task/{tid}/schedstat").read_text().split()[1]) / 1e9
        for name, tid in target.facts["tids"].items()}


def compare_waits(work, target, *options):
    """(the lines of the profile, the recording)"""
    path, times, recording = work.out / "p.collapsed", work.out / "p.jsonl", work.out / "p.pyro"
    before, delays = target.ask("TRUTH"), delays_of(target)
    result, stats = work.profile(
        "attach", target.pid, "--gil-blame", *options, "-r", "1khz", "-d", SECONDS, "-o", path, "-o", times,
        "-o", recording)
    after, delays_after = target.ask("TRUTH"), delays_of(target)
    elapsed = after["elapsed"] - before["elapsed"]
    lines = parse_collapsed(path)
    heads = {line.frames[0].function for line in lines}
    expect(all(head.startswith("GIL held by ") for head in heads), f"what holds it: {heads}")

    missed = stats["late"] / (stats["late"] + stats["ticks"])
    report = [f"{missed:.4f} of the time was missed", result.err.strip()]
    is_right = True
    for waiter in WAITERS:
        wanted = (after["waited"][waiter] - before["waited"][waiter]) / elapsed
        found = blamed(times, waiter, "hold") / stats["duration_s"]
        # Who waits for a CPU does not get to wait for the GIL.
        delay = (delays_after[waiter] - delays[waiter]) / elapsed
        allowed = POINTS + delay + (missed if work.is_last_run else 0)
        report.append(f"{waiter}: found {found:.4f}, wanted {wanted:.4f}, without a CPU {delay:.4f}")
        is_right = is_right and abs(found - wanted) <= allowed
    expect_likely(is_right, *report)
    return lines, recording


@case(over=each_default)
def who_waited_for_whom(work, interpreter):
    lines, recording = compare_waits(work, work.target(interpreter, "blame.py"))
    replayed = work.folder / "replayed.collapsed"
    expect_status(work.pyrometer("replay", recording, "--gil-blame", "-o", replayed), 0)
    expect_equal(sorted(map(str, parse_collapsed(replayed))), sorted(map(str, lines)), "from a recording")


@case(over=two)
def tasks_that_waited(work, interpreter):
    """Who held it did so in its task, if it has one."""
    lines, _ = compare_waits(work, work.target(interpreter, "blame.py", "tasks"), "--async-aware")
    seen = Counter()
    for line in lines:
        holder = re.match(r"GIL held by (waiter-\d)", line.frames[0].function)
        functions = [frame.function for frame in line.frames]
        if holder and any(function.endswith("want") for function in functions):
            seen[functions[1] == f"<task {holder[1]}>"] += line.count
    expect_likely(seen[True] > 20 * seen[False], f"of tasks that held it, in their task or not: {seen}", *lines)


@case(over=three)
def table_of_who_waited(work, interpreter):
    target = work.target(interpreter, "blame.py")
    result = work.pyrometer("attach", target.pid, "--gil-blame", "-d", "2")
    expect_status(result, 0)
    text = result.out.decode()
    for waiter in WAITERS:
        row = re.search(rf"^ *(\S+ m?s) +([\d.]+) % +{waiter} \(\d+\): (.*)$", text, re.MULTILINE)
        expect_likely(row, f"{waiter} has not waited:", text)
        expect_likely(re.match(r"GIL held by holder \(\d+\) in hold \(.*blame\.py:\d+\)", row[3]),
                      f"it waited for another: {row[3]}", text)


if __name__ == "__main__":
    sys.exit(main())
