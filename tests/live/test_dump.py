#!/usr/bin/env python3
"""dump: what it prints of a program that stands still."""

import json
import re

from harness import TESTS, case, each_version, expect, expect_equal, expect_status, main, three
from schema import complaints

SCHEMA = TESTS.parent / "docs" / "dump.schema.json"


def dump_of(work, target, *options):
    result = work.pyrometer("dump", "--json", *options, target.pid)
    expect_status(result, 0)
    dumped = json.loads(result.out)
    wrong = complaints(SCHEMA, dumped)
    expect(not wrong, "not as the schema says:", *wrong[:10])
    return dumped


@case()
def a_schema_that_is_not_met(_work):
    """The check of the cases below can fail."""
    good = {"pid": 1, "process": "p", "command": "c", "python": "3.8", "threads": []}
    thread = {"tid": 1, "name": "", "main": True, "complete": True, "verified": True, "frames": []}
    expect_equal(complaints(SCHEMA, {**good, "threads": [thread]}), [], "complaints")
    for bad in ({}, {**good, "pid": "1"}, {**good, "pid": 0}, {**good, "more": 1},
                {**good, "threads": [{**thread, "state": "well"}]},
                {**good, "threads": [{**thread, "main": 1}]},
                {**good, "threads": [{**thread, "frames": [{"function": "f", "file": ""}]}]}):
        expect(complaints(SCHEMA, bad), f"nothing is wrong with {bad}?")


def shown_source(frame):
    """What the file says at the frame's line."""
    with open(frame["file"], encoding="utf-8") as file:
        return file.read().splitlines()[frame["line"] - 1].strip()


@case(over=each_version)
def threads_and_sources(work, interpreter):
    target = work.still_target(interpreter, "stacks.py")
    threads = {t["tid"]: t for t in dump_of(work, target)["threads"]}
    expect_equal(len(threads), target.facts["count"], "threads")
    for wanted in target.facts["threads"]:
        thread = threads[wanted["tid"]]
        # Who waits with a timeout may be up for a moment.
        states = ["sleeping"] if wanted["main"] else ["sleeping", "running"]
        expect(thread["state"] in states, f"state of {wanted['name']}: {thread['state']}")
        expect(thread["complete"] and thread["verified"], f"not sure of {thread}")
        for frame in thread["frames"]:
            if frame["file"].endswith("/stacks.py") and interpreter.root is None:
                expect_equal(frame["source"], shown_source(frame), f"source of {frame}")


@case(over=three)
def text(work, interpreter):
    """As JSON has it: each frame with its line and the source, and carets below what runs."""
    target = work.still_target(interpreter, "stacks.py")
    dumped = dump_of(work, target, "--main-thread")
    expect_equal(len(dumped["threads"]), 1, "threads")
    thread = dumped["threads"][0]
    result = work.pyrometer("dump", "--main-thread", target.pid)
    expect_status(result, 0)
    head, _, *lines = result.out.decode().splitlines()
    expect_equal(
        head, f"Process {target.pid} ({dumped['command']}), Python {dumped['python']}", "head")
    wanted = [f'Thread {target.pid} "MainThread" (main) sleeping']
    for frame in reversed(thread["frames"]):
        wanted.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
        wanted.append("    " + frame["source"])
    expect_equal([line for line in lines if not re.fullmatch(r" +\^+", line)], wanted, "lines")
    carets = [line for line in lines if re.fullmatch(r" +\^+", line)]
    expect_equal(carets == [], "column" not in thread["frames"][0], "no carets")
    if carets:
        expect_equal(carets[-1], "    " + "^" * len("sys.stdin.read()"), "carets")


if __name__ == "__main__":
    raise SystemExit(main())
