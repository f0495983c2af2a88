#!/usr/bin/env python3
"""Code of several interpreters in one thread is one stack: the caller's below, the callee's above."""

import json
import os
import sys

from harness import (
    MISSING, case, each_version, expect, expect_equal, expect_likely, expect_status,
    main, parse_collapsed)

# The file of what runs in another interpreter, in older versions and from 3.14 on.
INSIDE = ("<string>", "<script>")


def with_public_module():
    return [i for i in each_version() if i.minor >= 14]


def knows_places(interpreter):
    """Up to 3.9 nothing tells which thread runs an interpreter: join.h."""
    return interpreter.minor >= 10


def stacks_of(dump, file):
    """[(tid, is main, [[function, line], ...])]: frames of the program, root first."""
    return [
        (thread["tid"], thread["main"],
         [[f["function"], f["line"]] for f in reversed(thread["frames"]) if f["file"] in (file, *INSIDE)])
        for thread in dump["threads"]]


def expect_one_stack(work, interpreter, way):
    """The thread has one stack through all interpreters that it runs in."""
    target = work.still_target(interpreter, "subinterpreters.py", way)
    facts = target.facts
    result = work.pyrometer("dump", "--json", target.pid)
    expect_status(result, 0)
    found = [f for f in stacks_of(json.loads(result.out), facts["file"]) if f[0] == facts["tid"]]
    whole = [frame for part in facts["parts"] for frame in part]
    expect_equal(found, [(facts["tid"], facts["main"], whole)], "the stacks of the thread")
    return target


@case(over=each_version)
def run_by_its_maker(work, interpreter):
    target = expect_one_stack(work, interpreter, "here")
    path = work.out / "here.collapsed"
    _, stats = work.profile("attach", target.pid, "-r", "100", "-d", "0.3", "-o", path)
    lines = parse_collapsed(path)
    expect_equal([(line.tid, line.thread) for line in lines], [(target.pid, "MainThread")], "threads")
    expect_equal((stats["threads"], stats["lost"]), (1, 0), "threads and lost samples")
    expect_equal([f.function for f in lines[0].frames][-2:], ["<module>", "inside"], "the leaf")


def each_that_tells():
    return [i for i in each_version() if knows_places(i)]


@case(over=each_that_tells)
def run_by_another_thread(work, interpreter):
    expect_one_stack(work, interpreter, "elsewhere")


@case(over=each_that_tells)
def run_by_a_third_interpreter(work, interpreter):
    expect_one_stack(work, interpreter, "nested")


@case(over=with_public_module)
def run_by_the_public_module(work, interpreter):
    expect_one_stack(work, interpreter, "public")


@case(over=lambda: [i for i in each_version() if not knows_places(i)])
def not_known_by_whom(work, interpreter):
    """A stack for each interpreter then, and only that of the main one is the main thread's."""
    target = work.still_target(interpreter, "subinterpreters.py", "elsewhere")
    result = work.pyrometer("dump", "--json", target.pid)
    expect_status(result, 0)
    stacks = stacks_of(json.loads(result.out), target.facts["file"])
    for part in target.facts["parts"]:
        expect([False, part] in [[is_main, frames] for _, is_main, frames in stacks],
               f"no stack {part}", f"found {stacks}")
    expect_equal([tid for tid, is_main, _ in stacks if is_main], [target.pid], "main threads")


# -- running ------------------------------------------------------------------------------------


def faults_of(line, facts):
    """What a stack with code of another interpreter, or its caller, shows that the program does not do."""
    calls = {tuple(call) for call in facts["calls"]}
    names = {callee for _, _, callee in calls} - {"<module>"}
    files = {facts["file"], "<string>"}
    frames = [f for f in line.frames if f.file or f.function == MISSING]  # no other marks
    begin = next((n for n, f in enumerate(frames) if f.function in names and f.file in files), None)
    if begin is None or frames[0].function == MISSING:
        return []
    pairs = [(a.function, a.line, b.function) for a, b in zip(frames[begin - 1:], frames[begin:])]
    return [] if frames[begin].function == "execute" and all(p in calls for p in pairs) else [str(line)]


def expect_possible(work, target, rate, seconds):
    """Samples it; returns the samples in which code of another interpreter is on top, by thread."""
    path = work.out / "samples.collapsed"
    result, stats = work.profile("attach", target.pid, "-r", rate, "-d", seconds, "-o", path)
    lines = parse_collapsed(path)
    faults = [fault for line in lines for fault in faults_of(line, target.facts)]
    expect(not faults, "stacks that cannot have been:", *faults[:6], result.err)
    expect(target.is_running(), "the target has ended", target.errors.read_text())
    inside = {}
    for line in lines:
        if line.frames[-1].function == "inner":
            inside[line.tid] = inside.get(line.tid, 0) + line.count
    return inside, stats


@case(over=each_version)
def come_and_go(work, interpreter):
    """Interpreters that are made and ended all the time, all of them after we have attached."""
    target = work.target(interpreter, "subinterpreters.py", "churn")
    inside, stats = expect_possible(work, target, "2khz", 1.5)
    expect_likely(inside, f"no sample of what runs in them: {stats}")
    expect_equal(list(inside), [target.pid], "threads that run them")


@case(over=lambda: [i for i in each_version() if i.minor >= 12])
def two_at_once(work, interpreter):
    target = work.target(interpreter, "subinterpreters.py", "together")
    inside, stats = expect_possible(work, target, "1khz", 1)
    expect_likely(len(inside) == 2, f"samples inside by thread: {inside}, {stats}")
    expect(target.pid not in inside, "the main thread runs none of them")


if __name__ == "__main__":
    sys.exit(main())
