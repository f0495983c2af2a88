#!/usr/bin/env python3
"""dump: what it prints of a program that stands still."""

import json
import re

from harness import (
    TESTS, case, each_version, expect, expect_equal, expect_likely, expect_refusal, expect_status, every, main, newest,
    newest_here, three, wait_until_asleep)
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
    thread = {"tid": 1, "name": "", "main": True, "doing": [], "complete": True, "verified": True, "frames": []}
    expect_equal(complaints(SCHEMA, {**good, "threads": [thread]}), [], "complaints")
    for bad in ({}, {**good, "pid": "1"}, {**good, "pid": 0}, {**good, "more": 1},
                {**good, "threads": [{**thread, "state": "well"}]},
                {**good, "threads": [{**thread, "main": 1}]},
                {**good, "threads": [{**thread, "doing": ["nothing"]}]},
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
    wanted = [f'Thread {target.pid} "MainThread" (main) sleeping, waits for a file']
    for frame in reversed(thread["frames"]):
        wanted.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
        wanted.append("    " + frame["source"])
    expect_equal([line for line in lines if not re.fullmatch(r" +\^+", line)], wanted, "lines")
    carets = [line for line in lines if re.fullmatch(r" +\^+", line)]
    expect_equal(carets == [], "column" not in thread["frames"][0], "no carets")
    if carets:
        expect_equal(carets[-1], "    " + "^" * len("sys.stdin.read()"), "carets")


def herd(work, interpreter):
    """A target that waits, and whose children do: four alike, one not."""
    target = work.still_target(interpreter, "herd.py", 4)
    for pid in [target.facts["odd"], *target.facts["waiting"]]:
        wait_until_asleep(pid)
    return target


@case(over=three)
def children(work, interpreter):
    """Equal stacks are found equal, and who is alone comes first."""
    target = herd(work, interpreter)
    odd, waiting = target.facts["odd"], target.facts["waiting"]
    dumped = dump_of(work, target, "--subprocesses")
    expect_equal(dumped["other_processes"], 0, "processes that are no Pythons")
    expect_equal({p["pid"] for p in dumped["processes"]}, {target.pid, odd, *waiting}, "processes")
    for process in dumped["processes"]:
        [thread] = process["threads"]
        expect_equal(thread["tid"], process["pid"], "main thread")
        expect_equal(process["python"], dumped["processes"][0]["python"], "version")
        name = {odd: "wait_oddly", target.pid: "main"}.get(process["pid"], "wait_alike")
        expect_equal(thread["frames"][0]["function"], name, f"where {process['pid']} waits")
    groups = [[member["pid"] for member in group] for group in dumped["equal_stacks"]]
    expect_equal(sorted(groups[0] + groups[1]), sorted([odd, target.pid]), "who is alone")
    expect_equal([sorted(group) for group in groups[2:]], [sorted(waiting)], "who waits alike")


@case(over=newest_here)
def children_as_text(work, interpreter):
    target = herd(work, interpreter)
    result = work.pyrometer("dump", "-s", target.pid)
    expect_status(result, 0)
    head, *parts = result.out.decode().split("\n\n")
    expect(head.endswith("and below: 6 of Python, 0 others"), head)
    expect_equal(len(parts), 3, "stacks")
    for part, words in zip(parts, ("1 of 6 processes in main (", "1 of 6 processes in wait_oddly (",
                                   "4 of 6 processes in wait_alike (")):
        expect(part.startswith(words), f"not {words}", *part.splitlines())
        expect(part.splitlines()[0].endswith(", sleeping"), *part.splitlines())
    expect_equal(set(parts[2].splitlines()[1].strip().split(", ")),
                 {str(pid) for pid in target.facts["waiting"]}, "who waits alike")


@case()
def children_that_are_no_pythons(work):
    process = work.start(["sh", "-c", "sleep 100; true"])
    expect_refusal(work.pyrometer("dump", "-s", process.pid), 5, str(process.pid))


@case(over=three)
def who_holds_the_gil(work, interpreter):
    """The one thread that runs, never waiting, and not the one that sleeps."""
    target = work.target(interpreter, "locals.py", "busy")
    wait_until_asleep(target.pid)
    for options in ([], ["--blocking"]):
        main_thread, busy = dump_of(work, target, *options)["threads"]
        expect(main_thread["doing"] in ([], ["waits for a file"]),
               f"what the sleeping one does, {options}: {main_thread['doing']}")
        expect("holds the GIL" in busy["doing"], f"it is the only one to run, {options}: {busy}")
        expect("waits for the GIL" not in busy["doing"], f"for whom? {options}: {busy}")


def locals_of(dumped):
    """By function: its state, and {name: value}."""
    return {
        frame["function"].rpartition(".")[2]:
            (frame["locals_state"], {v["name"]: v["value"] for v in frame["locals"]})
        for thread in dumped["threads"] for frame in thread["frames"]}


@case(over=every)
def locals_of_every_kind(work, interpreter):
    target = work.still_target(interpreter, "locals.py")
    for options in ([], ["--blocking"]):
        found = locals_of(dump_of(work, target, "--locals", *options))
        for function, wanted in target.facts["frames"].items():
            expect_equal(found[function], ("exact", wanted), f"{function} {options}")
        expect_equal(found["<module>"], ("exact", {}), "a module's")


DEPTH, WORD = r"(1?[0-9])", r"'((?:word)*)'"
TRUE_VALUES = {
    "fixed": r"'stays'",
    "depth": DEPTH,
    "word": WORD,
    "made": rf"\['(?:word)*{DEPTH}', \({WORD}, {DEPTH}\)\]",
}


def expect_true_value(local):
    """A value that the variable may have had at some moment."""
    name, value = local["name"], local["value"]
    expect(re.fullmatch(TRUE_VALUES[name], value), f"a value that there never was: {local}")


@case(over=three)
def locals_that_come_and_go(work, interpreter):
    """Stopped, they are what they are; else nothing is said to be exact."""
    target = work.target(interpreter, "locals.py", "busy")
    states = set()
    for options in 10 * [[]] + 10 * [["--blocking"]]:
        threads = dump_of(work, target, "--locals", *options)["threads"]
        for frame in (f for t in threads if not t["main"] for f in t["frames"]):
            if frame["function"] not in ("called", "call_for_ever"):
                continue
            states.add((frame["locals_state"], *options))
            if options:
                for local in frame["locals"]:
                    expect_true_value(local)
            if options and frame["function"] == "call_for_ever":
                names = {local["name"] for local in frame["locals"]}
                expect_equal(names - {"depth"}, {"fixed"}, "names")
    expect(("exact", "--blocking") in states, "nothing was read", states)
    # Now and then it waits for memory in all looks of a dump: then they are exact.
    expect_likely(states <= {("exact", "--blocking"), ("inexact",), ("gone",), ("unreadable",)}, "not so sure:", states)


@case(over=newest)
def locals_are_shown_when_asked_for(work, interpreter):
    target = work.still_target(interpreter, "locals.py")
    for thread in dump_of(work, target)["threads"]:
        for frame in thread["frames"]:
            expect("locals" not in frame, f"nobody asked for that: {frame}")
    plain = work.pyrometer("dump", target.pid).out.decode()
    told = work.pyrometer("dump", "--locals", target.pid).out.decode()
    expect(" = 'plain'" not in plain, "values in", plain)
    expect("      plain = 'plain'\n" in told, "no values in", told)


if __name__ == "__main__":
    raise SystemExit(main())
