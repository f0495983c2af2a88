#!/usr/bin/env python3
"""Workers that a server has forked: what each computes and waits is told as it tells it itself, by CPU
time and by the clock, of those that are there when we come and of those that replace them."""

import json
import signal
import sys
import time
from collections import Counter

from harness import case, expect_likely, expect_status, main, three

POINTS = 0.02  # as of test_shares.py
SECONDS = 4
WORKERS = 4  # at any time
PARTS = ("crunch", "digest", "wait_for_database")


def samples_in(path):
    """[(pid, functions root first, seconds)] of a jsonl file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [(row["pid"], [frame["function"] for frame in row["stack"]], row["duration_ns"] / 1e9)
            for row in rows if row["type"] == "samples"]


def truth_between(before, after, key):
    """{(pid, part): share of the time} of the workers, and of each worker as a whole."""
    elapsed = after["elapsed"] - before["elapsed"]
    truth = Counter()
    for pid, now in after["workers"].items():
        then = before["workers"].get(pid)
        for part in (*PARTS, "serve"):
            truth[int(pid), part] = (now[key][part] - (then[key][part] if then else 0)) / elapsed
    return truth


def shares_found(samples, duration):
    found = Counter()
    for pid, names, seconds in samples:
        for part in {*PARTS, "serve"} & set(names):
            found[pid, part] += seconds / duration
    return found


def by_part(shares):
    """Of all workers: CPUs that each part takes, or workers that are at it."""
    totals = Counter()
    for (_, part), share in shares.items():
        totals[part] += share
    return totals


def watch(work, target):
    """What the workers tell of the time in which they are sampled: (before, after, seconds, part of it missed)."""
    stats_path = work.folder / "stats.json"
    profiler = work.profiler("attach", "-s", "-m", "cpu", target.pid, "--stats", stats_path,
                             "-o", work.out / "cpu.jsonl", "-o", work.out / "all.pyro")
    profiler.wait_until_it_samples()
    before = target.ask("TRUTH")
    time.sleep(SECONDS)
    after = target.ask("TRUTH")
    profiler.signal(signal.SIGINT)
    expect_status(profiler.finish(), 0)
    stats = json.loads(stats_path.read_text())
    return before, after, stats["duration_s"], stats["late"] / (stats["late"] + stats["ticks"])


def expect_shares(work, found, truth, missed, what, points=POINTS):
    allowed = points + (missed if work.is_last_run else 0)
    told = [f"{key}: found {found[key]:.4f}, told {truth[key]:.4f}" for key in truth]
    print(f"# {what}: {'; '.join(told[:4])}")
    expect_likely(all(abs(found[key] - truth[key]) <= allowed for key in truth),
                  f"{what}; {missed:.4f} of the time was missed", *told)


@case(over=three)
def shares_of_workers(work, interpreter):
    target = work.target(interpreter, "prefork.py")
    before, after, duration, missed = watch(work, target)
    expect_likely(set(after["workers"]) - set(before["workers"]), "no worker was replaced")
    wall = work.folder / "wall.jsonl"
    expect_status(work.pyrometer("replay", work.out / "all.pyro", "-m", "wall", "-o", wall), 0)
    for mode, key, path, points in (("cpu", "used", work.out / "cpu.jsonl", POINTS),
                                    ("wall", "spent", wall, WORKERS * POINTS)):
        found = shares_found(samples_in(path), duration)
        truth = truth_between(before, after, key)
        expect_shares(work, by_part(found), by_part(truth), missed, f"{mode}, of all workers", points)
        expect_shares(work, found, truth, missed, f"{mode}, of each worker")


if __name__ == "__main__":
    sys.exit(main())
