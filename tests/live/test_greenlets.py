#!/usr/bin/env python3
"""Programs that switch between stacks themselves: greenlets, gevent's pools of them, and trio's tasks."""

import json
import math

from harness import (
    MISSING, UNVERIFIED, can_import, case, expect, expect_equal, expect_likely, expect_status, having, main,
    parse_collapsed, samples_of)

POINTS = 0.02  # as of test_shares.py


def short(function):
    """Python tells qualified names from 3.11 on."""
    return function.split(".")[-1]


def take(work, target, *options):
    """A profile, and what the program says that it spent meanwhile: (lines, shares, stats)."""
    path = work.out / "stacks.collapsed"
    before = target.ask("TRUTH")
    result, stats = work.profile("attach", target.pid, *options, "-r", "1khz", "-d", "3", "-o", path)
    after = target.ask("TRUTH")
    elapsed = after["elapsed"] - before["elapsed"]
    spent = {name: (after["spent"][name] - before["spent"][name]) / elapsed for name in after["spent"]}
    lines = parse_collapsed(path)
    expect_likely(samples_of(lines) > 300, f"only {samples_of(lines)} samples in 3 s at 1 kHz: {result.err}")
    print("#", result.err.strip())
    return lines, spent, stats


def names_of(line):
    """Root first, and without the mark of what could not be verified at the newest end."""
    return [short(frame.function) for frame in line.frames if frame.function != UNVERIFIED]


def expect_shares(work, lines, spent, stats, part_of):
    """`part_of` tells whose part of `spent` a stack is; of one without its root nobody's. A turn is about as long
    as a tick: as if by lot."""
    total = samples_of(lines)
    rootless = sum(line.count for line in lines if line.frames[0].function == MISSING) / total
    missed = stats["late"] / (stats["late"] + stats["ticks"])
    for part, truth in spent.items():
        slack = POINTS + rootless + 3 * math.sqrt(truth * (1 - truth) / total) + (missed if work.is_last_run else 0)
        found = sum(line.count for line in lines if part_of(names_of(line)) == part) / total
        print(f"# {part}: truth {truth:.4f}, profile {found:.4f}, {missed:.4f} of the time was missed")
        expect_likely(abs(found - truth) <= slack, f"{part}: truth {truth:.4f}, profile {found:.4f}")


def expect_whole(lines, stats):
    """Where a stack's root was not found it says so, and that is seldom: while one greenlet gives way to the other
    all the time, none stands still for long."""
    broken = sum(line.count for line in lines if line.frames[0].function == MISSING)
    missed = stats["late"] / (stats["late"] + stats["ticks"])
    expect_likely(broken <= (0.03 + missed) * samples_of(lines), f"{broken} of {samples_of(lines)} stacks have no root")


# -- greenlets --------------------------------------------------------------------------------------


def is_one_of(names, stacks):
    return any(stack[:len(names)] == names for stack in stacks)


def is_end_of_one(names, stacks):
    return any(is_one_of(names, [stack[i:]]) for stack in stacks for i in range(len(stack)))


def part_of_greenlets(names):
    """Only the main greenlet's stack stands on the module."""
    who = {"<module>": "main", "ping": "volley", "pong": "volley"}
    return who.get(names[0], names[0]) if names else None


@case(over=having("greenlet"))
def stacks_of_greenlets(work, interpreter):
    """No stack is a mixture of two, also while one gives way to the other."""
    target = work.target(interpreter, "greenlets.py")
    lines, spent, stats = take(work, target)
    stacks = target.facts["stacks"]
    of_greenlets = {name for stack in stacks for name in stack} - {"grind"}
    for line in lines:
        names = names_of(line)
        if names[:1] == [MISSING]:
            is_right = is_end_of_one(names[1:], stacks) or not of_greenlets & set(names)
        elif names[:1] == ["<module>"]:
            is_right = names[1:2] in ([], ["main"]) and not of_greenlets & set(names)
        else:
            is_right = is_one_of(names, stacks)
        expect(is_right, f"{line.count} samples of a stack that there is not: {names}")
    expect_whole(lines, stats)
    expect_shares(work, lines, spent, stats, part_of_greenlets)


@case(over=having("greenlet._greenlet"))
def suspended_greenlets(work, interpreter):
    """All of both threads, each as the program itself tells it, and none that has not begun or is over."""
    target = work.still_target(interpreter, "suspended.py")
    result = work.pyrometer("dump", "--async-aware", "--json", target.pid)
    expect_status(result, 0)
    told = json.loads(result.out)["tasks"]
    expect_equal({task["kind"] for task in told}, {"greenlet"}, "kinds of tasks")
    found = sorted([task["tid"], [[frame["function"], frame["line"]] for frame in task["frames"]]] for task in told)
    expect_equal(found, sorted(target.facts["suspended"]), "what is suspended")
    expect_equal({short(task["name"]) for task in told}, {"greenlet", "Digger"}, "their classes")
    expect(all(task["confirmed"] and task["state"] == "waiting" for task in told), "states:", *told)
    text = work.pyrometer("dump", "--async-aware", "--blocking", target.pid).out.decode()
    for words in (f"Tasks: 0\nSuspended greenlets: {len(found)}\n", 'Greenlet "__main__.Digger", waiting\n'):
        expect(words in text, f"no {words!r} in:", *text.splitlines())


# -- gevent -----------------------------------------------------------------------------------------


@case(over=having("gevent"))
def stacks_of_a_pool(work, interpreter):
    target = work.target(interpreter, "pool.py")
    lines, spent, stats = take(work, target)
    for line in lines:
        names = names_of(line)
        if "worker" in names and names[0] != MISSING:
            rest = names[names.index("worker") + 1:]
            is_right = is_one_of(rest, [["heavy", "grind"], ["light", "grind"]]) or rest[:1] == ["rest"]
            expect(is_right and "main" not in names, f"{line.count} samples of a stack that there is not: {names}")
    expect_whole(lines, stats)
    expect_shares(work, lines, spent, stats, lambda names: names[-2] if names[-1] == "grind" else None)


def waits_of(names):
    """Whose a suspended greenlet's stack is; None if it can be nobody's."""
    for who, begin in (("worker", ["worker", "rest"]), ("main", ["<module>", "main"]), ("hub", ["run"])):
        if names[:len(begin)] == begin:
            return who
    return None


@case(over=having("gevent"))
def waits_of_a_pool(work, interpreter):
    """Who is suspended is told at every look at him, and whoever runs is not."""
    target = work.target(interpreter, "pool.py")
    path = work.out / "stacks.collapsed"
    before = target.ask("TRUTH")
    result, stats = work.profile("attach", target.pid, "--async-aware", "--async-mode", "all", "-r", "200", "-d", "3",
                                 "-o", path)
    after = target.ask("TRUTH")
    print("#", result.err.strip())
    counts = dict.fromkeys(["worker", "main", "hub", None], 0)
    for line in parse_collapsed(path):
        names = names_of(line)
        if names[:1] == ["<greenlet>"]:
            counts[waits_of(names[1:])] += line.count
            expect(waits_of(names[1:]), f"{line.count} samples of a stack that there is not: {names}")
    if not can_import(interpreter, "greenlet._greenlet"):  # of those of greenlet 0.4 nothing is known
        expect_equal(counts, dict.fromkeys(counts, 0), "samples")
        return
    # Beside the workers there are the hub and the main one. Of all looks at one, so many met a worker at rest.
    found = (target.facts["size"] + 2) * counts["worker"] / max(stats["tasks_seen"], 1)
    truth = (after["rested"] - before["rested"]) / (after["elapsed"] - before["elapsed"])
    missed = stats["late"] / (stats["late"] + stats["ticks"])
    told = f"{found:.2f} workers rest on average, it says {truth:.2f}; {missed:.3f} of the time was missed"
    print("#", told)
    expect_likely(abs(found - truth) <= (0.05 + (missed if work.is_last_run else 0)) * truth, told)


# -- trio -------------------------------------------------------------------------------------------


@case(over=having("trio"))
def stacks_of_tasks_of_trio(work, interpreter):
    """The running task's coroutines stand on trio's own functions, down to the module."""
    target = work.target(interpreter, "nursery.py")
    lines, spent, stats = take(work, target)
    for line in lines:
        names = names_of(line)
        if names[-1] == "grind" and names[0] != MISSING:
            expect(names[0] == "<module>" and "run" in names, f"it stands on nothing: {names}")
            expect(names[-3:] in (["heavy", "step", "grind"], ["light", "step", "grind"]), f"mixed up: {names}")
    expect_whole(lines, stats)
    expect_shares(work, lines, spent, stats, lambda names: names[-3] if names[-1] == "grind" else None)


if __name__ == "__main__":
    raise SystemExit(main())
