#!/usr/bin/env python3
"""A program that changes between two functions: speedscope must show its turns, in order and in time."""

import json
import sys
from statistics import median

from harness import (
    case, each_version, expect, expect_equal, expect_likely, main, newest, parse_collapsed, samples_of,
    three)

RATE = 1000
TURN = 0.25  # seconds
SECONDS = {"none": 1e-9, "nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1}


def record(work, target, seconds):
    """(result, stats, speedscope file) of a run; the collapsed file of the same run is p.collapsed."""
    path = work.out / "p.speedscope.json"
    result, stats = work.profile(
        "attach", target.pid, "-r", str(RATE), "-d", str(seconds), "-o", path,
        "-o", work.out / "p.collapsed")
    return result, stats, json.loads(path.read_text("utf-8"))


def blind_seconds(stats):
    """For how long in all, at most, nothing could be seen that did happen; and a little."""
    return (stats["late"] + stats["lost"]) / RATE + 0.03


def profiles_of(scope, name):
    return [profile for profile in scope["profiles"] if name in profile["name"]]


def profile_of(scope, name):
    """The one profile of the one thread of that name."""
    found = profiles_of(scope, name)
    expect_equal([profile["name"] for profile in found], [p["name"] for p in found[:1]] or [name],
                 f"profiles of {name}")
    return found[0]


def time_with_a_stack(profile):
    """(begin, seconds) of the samples that are not empty: an empty one is a gap."""
    unit, time, begin, held = SECONDS[profile["unit"]], profile["startValue"], None, 0
    for sample, weight in zip(profile["samples"], profile["weights"]):
        if sample:
            begin = time if begin is None else begin
            held += weight
        time += weight
    expect(begin is not None, f"{profile['name']} has no sample")
    return begin * unit, held * unit


def blocks(scope, profile):
    """[[phase, start, length]] in seconds: equal neighbours of red and blue are one block."""
    unit = SECONDS[profile["unit"]]
    names = [frame["name"] for frame in scope["shared"]["frames"]]
    time, found = profile["startValue"], []
    for sample, weight in zip(profile["samples"], profile["weights"]):
        held = {names[frame] for frame in sample}
        phase = next((phase for phase in ("red", "blue") if phase in held), None)
        if phase and found and found[-1][0] == phase:
            found[-1][2] = (time + weight) * unit - found[-1][1]
        elif phase:
            found.append([phase, time * unit, weight * unit])
        time += weight
    return found


@case(over=three)
def shape_of_the_file(work, interpreter):
    target = work.target(interpreter, "phases.py", TURN)
    _, stats, scope = record(work, target, 2)
    expect_equal(
        scope["$schema"], "https://www.speedscope.app/file-format-schema.json", "$schema")
    count = len(scope["shared"]["frames"])
    tick = 1 / RATE
    for profile in scope["profiles"]:
        expect_equal(profile["type"], "sampled", "type of a profile")
        expect_equal(len(profile["samples"]), len(profile["weights"]), "samples and weights")
        expect(all(0 <= f < count for s in profile["samples"] for f in s), "a frame out of range")
        expect(all(weight >= 0 for weight in profile["weights"]), "a negative weight")
        unit = SECONDS[profile["unit"]]
        length = (profile["endValue"] - profile["startValue"]) * unit
        held = sum(profile["weights"]) * unit
        expect(abs(length - held) <= tick, f"{profile['name']}: {held} s in {length} s")
        expect(length <= stats["duration_s"] + 2 * tick, f"{profile['name']}: {length} s")
    for name in ("MainThread", "standing"):
        _, length = time_with_a_stack(profile_of(scope, name))
        expect_likely(abs(length - stats["duration_s"]) <= blind_seconds(stats),
                      f"{name} was there for {stats['duration_s']} s, but has {length} s")


@case(over=three)
def a_profile_for_each_thread(work, interpreter):
    target = work.target(interpreter, "phases.py", TURN)
    _, _, scope = record(work, target, 2)
    threads = {(line.thread, line.tid) for line in parse_collapsed(work.out / "p.collapsed")}
    names = [profile["name"] for profile in scope["profiles"]]
    for thread, tid in threads:
        fitting = [name for name in names if thread in name and str(tid) in name]
        expect(fitting, f"no profile is named after {thread} {tid}: {names}")
    expect_likely(len(profiles_of(scope, "visitor")) >= 4, f"too few visitors: {names}")


@case(over=each_version)
def phases_in_order(work, interpreter):
    target = work.target(interpreter, "phases.py", TURN)
    result, stats, scope = record(work, target, 4)
    target.close_input()
    turns = target.hear("TRUTH")["turns"]
    found = blocks(scope, profile_of(scope, "MainThread"))
    report = [result.err.strip(), *(f"{phase} {start:.4f} {length:.4f}" for phase, start, length in found)]
    expect_likely(len(found) >= 4, "hardly any turns:", *report)

    # The clock of the file begins with the run: shift it to the program's, where the turns fit. The
    # turns repeat, so a shift by a whole period fits nearly all of them too: the sum tells them apart.
    shifts = [begin - start for phase, start, _ in found[1:-1]
              for name, begin, _ in turns if name == phase]
    shift = min(shifts, key=lambda shift: sum(misfits(found, turns, shift)))
    off = misfits(found, turns, shift)
    # A change-over can be missed by as long as the machine does not let us run, and a turn that is
    # no longer than that as a whole. Another run may be let to see more.
    blind = blind_seconds(stats)
    tells_much = blind < TURN / 2
    expect_likely(tells_much or work.is_last_run, f"{blind:.4f} s not seen: that tells little")
    expect_likely(median(off) <= 0.01 or not tells_much, f"turns begin {off} s off:", *report)
    expect_likely(max(off) <= blind, f"a turn begins {max(off):.4f} s off, {blind:.4f} s not seen:", *report)
    missed = [turn for turn in turns_within(turns, found, shift) if turn[2] - turn[1] > blind
              and not any(is_seen_as(turn, block, shift) for block in found)]
    expect(not missed, f"{blind:.4f} s not seen, but {len(missed)} turns missed:", *missed, *report)
    samples = samples_of(parse_collapsed(work.out / "p.collapsed"))
    expect_equal(samples, stats["samples"], "samples in two outputs of one run")


def misfits(found, turns, shift):
    """How far the beginning of each block is from the beginning of a turn of its phase."""
    return [
        min(abs(start + shift - turn[1]) for turn in turns if turn[0] == phase)
        for phase, start, _ in found[1:-1]]


def turns_within(turns, found, shift):
    """The turns that began and ended while it was sampled."""
    first, last = found[0], found[-1]
    return [turn for turn in turns if first[1] <= turn[1] - shift and turn[2] - shift <= sum(last[1:])]


def is_seen_as(turn, block, shift):
    phase, start, length = block
    return phase == turn[0] and start + shift < turn[2] and turn[1] < start + shift + length


@case(over=newest)
def a_gap_is_a_gap(work, interpreter):
    """A thread that comes late has no stacks from before it came."""
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.speedscope.json"
    profiler = work.profiler("attach", target.pid, "-r", str(RATE), "-o", path)
    profiler.wait_until_it_samples()
    profiler.wait_for_ticks(200)
    target.order("churn", 0.5)
    target.hear("DONE")
    target.order("exit", 0)
    expect_equal(profiler.finish().status, 0, "exit status")
    scope = json.loads(path.read_text("utf-8"))
    visitors = profiles_of(scope, "churn-")
    expect(visitors, "no thread of the target was seen")
    for profile in visitors:
        begin, length = time_with_a_stack(profile)
        expect(begin > 0.1, f"{profile['name']} began too early", profile)
        expect_likely(length < 0.3, f"{profile['name']} lasted too long", profile)


if __name__ == "__main__":
    sys.exit(main())
