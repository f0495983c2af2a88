#!/usr/bin/env python3
"""The tasks of asyncio, as dump --async-aware tells them: names, parents, and where each waits, as
the program itself tells them at the same time."""

import json
import time

from harness import (
    TESTS, UNVERIFIED, case, each_version, expect, expect_equal, expect_likely, expect_status, having,
    main, newest_here, parse_collapsed, samples_of, three)
from schema import complaints

SCHEMA = TESTS.parent / "docs" / "dump.schema.json"
SECONDS = 5


def dump_tasks(work, target, *options):
    """(tasks by name, the whole JSON)."""
    result = work.pyrometer("dump", "--async-aware", "--json", *options, target.pid)
    expect_status(result, 0)
    told = json.loads(result.out)
    return told["tasks"], told


def short(function):
    """Python tells qualified names from 3.11 on."""
    return function.split(".")[-1]


def as_account(tasks):
    names = {task["id"]: task["name"] for task in tasks}
    return {task["name"]: {
        "frames": [[short(f["function"]), f["line"]] for f in reversed(task["frames"])],
        "parents": sorted(names[parent] for parent in task["waited_for_by"]),
    } for task in tasks}


class Periods:
    """What the program told, and from when to when it was so: while its loop waited."""

    def __init__(self, lines):
        self.all = []
        for line in map(json.loads, lines):
            if "at" in line:
                self.all.append([line["at"], None, line["tasks"]])
            elif self.all:
                self.all[-1][1] = line["until"]
        self.edges = {(child, parent) for _, _, tasks in self.all
                      for child, task in tasks.items() for parent in task["parents"]}

    def during(self, begin, end):
        """The account that held all the time; None if there is none."""
        found = [tasks for at, until, tasks in self.all
                 if at <= begin and until is not None and end <= until]
        return found[0] if found else None


def expect_possible(periods, tasks, number):
    """Whatever the moment: nobody is said to wait for what he never waits for."""
    names = {task["id"]: task["name"] for task in tasks}
    for task in tasks:
        for parent in task["waited_for_by"]:
            expect((task["name"], names[parent]) in periods.edges,
                   f"snapshot {number}: {names[parent]} never waits for {task['name']}")


def differences(found, wanted):
    return [f"{name}: found {found.get(name)}, told {wanted.get(name)}"
            for name in sorted(set(found) | set(wanted)) if found.get(name) != wanted.get(name)]


@case(over=each_version)
def as_the_program_tells(work, interpreter):
    ours, theirs = work.within(interpreter)
    target = work.target(interpreter, "tasks.py", theirs / "accounts", SECONDS)
    snapshots = []
    while target.is_running() and len(snapshots) < 200:
        begin = time.monotonic_ns()
        result = work.pyrometer("dump", "--async-aware", "--json", target.pid)
        end = time.monotonic_ns()
        if result.status == 0:
            snapshots.append((begin, end, json.loads(result.out)["tasks"]))
    periods = Periods((ours / "accounts").read_text().splitlines())
    judged = 0
    for number, (begin, end, tasks) in enumerate(snapshots):
        expect_possible(periods, tasks, number)
        wanted = periods.during(begin, end)
        if wanted is not None:
            judged += 1
            found = as_account(tasks)
            expect(found == wanted, f"snapshot {number}:", *differences(found, wanted))
    print(f"# {interpreter.label}: {len(snapshots)} snapshots, {judged} within one state")
    # On a machine that is so busy that none does, the last run can only say that nothing was impossible.
    expect_likely(judged > 0 or work.is_last_run, "no snapshot lies within one state of the program")


@case(over=each_version)
def circles_and_threads(work, interpreter):
    target = work.target(interpreter, "circle.py")
    tasks, told = dump_tasks(work, target, "--blocking")
    by_name = {task["name"]: task for task in tasks}
    for i in range(2):
        circle = by_name[f"circle {i}"]
        expect_equal(circle["waited_for_by"], [by_name[f"circle {1 - i}"]["id"]], "who waits")
    expect_equal(sorted(told["cycles"][0]), sorted(by_name[f"circle {i}"]["id"] for i in range(2)),
                 "the circle")
    expect_equal(by_name["Task-1"]["waited_for_by"], [], "who waits for the first task")
    expect_equal(len(by_name["busy"]["waited_for_by"]), 1, "how many wait for the busy task")
    expect_equal(by_name["busy"]["tid"], target.pid, "thread of the busy task")
    expect(by_name["elsewhere"]["tid"] != target.pid, "the other loop is in the main thread")
    expect(all(task["confirmed"] for task in tasks), "stopped, and not confirmed", tasks)


@case(over=each_version)
def stacks_of_running_tasks(work, interpreter):
    """Threads that are inside a call of a task stand still there."""
    target = work.target(interpreter, "stacks.py")
    running = [task for task in dump_tasks(work, target)[0] if task["state"] == "running"]
    expect(running, "no task runs")
    for task in running:
        functions = [short(frame["function"]) for frame in task["frames"]]
        expect(task["confirmed"], f"{task['name']} is not confirmed: {functions}")
        expect("<unverified>" not in functions and functions[0] == "stand", functions)


@case(over=three)
def tells_the_tree_as_text(work, interpreter):
    target = work.target(interpreter, "circle.py")
    result = work.pyrometer("dump", "--async-aware", "--blocking", target.pid)
    expect_status(result, 0)
    for words in ('Task "circle 0"', "Waiting for each other for ever: ", "in waits_elsewhere"):
        text = result.out.decode()
        expect(words in text, f"no {words!r} in:", *text.splitlines())


@case(over=three)
def without_asyncio(work, interpreter):
    target = work.target(interpreter, "hotloop.py")
    tasks, told = dump_tasks(work, target)
    expect_equal((tasks, told["cycles"]), ([], []), "tasks of a program that has none")


def in_a_tree(work, interpreter, *arguments):
    """A target whose parent is no Python."""
    command = work.command(interpreter, *arguments)
    return work.target_of(["sh", "-c", '"$@"; true', "sh", *command])


@case(over=newest_here)
def of_a_tree_of_processes(work, interpreter):
    target = in_a_tree(work, interpreter, "taskshares.py")
    result = work.pyrometer("dump", "-s", "--async-aware", "--json", target.pid)
    expect_status(result, 0)
    told = json.loads(result.out)
    wrong = complaints(SCHEMA, told)
    expect(not wrong, "not as the schema says:", *wrong[:10])
    [process] = told["processes"]
    expect(process["pid"] != target.pid, "the shell is no Python")
    names = {task["name"] for task in process["tasks"]}
    expect({"heavy", "middle", "light"} <= names, names)
    expect_equal(process["cycles"], [], "cycles")


@case(over=newest_here)
def of_a_tree_as_text(work, interpreter):
    target = in_a_tree(work, interpreter, "taskshares.py")
    result = work.pyrometer("dump", "-s", "--async-aware", target.pid)
    expect_status(result, 0)
    text = result.out.decode()
    tasks = [line for line in text.splitlines() if line.startswith("Task ") or line.startswith("Tasks:")]
    expect("Tasks: 7" in tasks and "\nProcess " in text, text)


# -- samples by task --------------------------------------------------------------------------------

POINTS = 0.02  # as of test_shares.py
# What stands below the functions of each part of the program.
STANDS_ON = {
    "heavy": ["<task>", "waiter", "<task heavy>", "worker", "step", "Board.work"],
    "middle": ["<task>", "waiter", "<task middle>", "worker", "step", "Board.work"],
    "light": ["<task>", "waiter", "<task light>", "worker", "step", "Board.work"],
    "callback": ["<loop>", "<callback>", "Board.work"],
    "idle": ["<loop>", "<idle>"],
}


def part_of(frames):
    """Which part of taskshares.py a stack belongs to: a name, "other", or None if it cannot be."""
    # Machine code, which has no lines, may be between any two: 3.11 goes on with a coroutine in C.
    names = [short(frame.function) for frame in frames
             if (frame.line or frame.function.startswith("<")) and frame.function != UNVERIFIED]
    for part, wanted in STANDS_ON.items():
        wanted = [short(name) for name in wanted]
        if names[:len(wanted)] == wanted:
            return part
    # Somewhere on the way there.
    is_begun = any(names == [short(n) for n in wanted][:len(names)] for wanted in STANDS_ON.values())
    rest = {"<loop>", "<task>"}
    return "other" if is_begun or names[0] in rest else None


def share_tasks(work, target, *options, counts_idle=True, replayed=()):
    """`options` as of attach; with `replayed`, options of replay, by way of a recording."""
    path = work.out / "tasks.collapsed"
    recording = work.out / "tasks.pyro"
    before = target.ask("TRUTH")
    result, stats = work.profile(
        "attach", target.pid, "--async-aware", *options, "-r", "1khz", "-d", "4",
        "-o", recording if replayed else path)
    after = target.ask("TRUTH")
    if replayed:
        expect_status(work.pyrometer("replay", recording, *replayed, "-o", path), 0)
    elapsed = after["elapsed"] - before["elapsed"]
    if not counts_idle:
        elapsed -= after["spent"].pop("idle") - before["spent"].pop("idle")
    lines = parse_collapsed(path)
    total = samples_of(lines)
    expect_likely(total > 400, f"only {total} samples in 4 s at 1 kHz: {result.err}")
    counts = dict.fromkeys([*STANDS_ON, "other", None], 0)
    for line in lines:
        counts[part_of(line.frames)] += line.count
    strange = [f"{line.count} x {[f.function for f in line.frames]}"
               for line in lines if part_of(line.frames) is None]
    report = []
    missed = stats["late"] / (stats["late"] + stats["ticks"])
    is_right = True
    # With --native a thread is looked at anew, and may be in a task by then that was not seen.
    unnamed = sum(line.count for line in lines if "--native" in options and
                  [short(frame.function) for frame in line.frames[:2]] == ["<task>", "worker"]) / total
    expect_likely(unnamed < 0.05, f"{unnamed:.4f} of the samples are in tasks that are not told")
    for part in after["spent"]:
        truth = (after["spent"][part] - before["spent"][part]) / elapsed
        found = counts[part] / total
        report.append(f"{part}: truth {truth:.4f}, profile {found:.4f}")
        is_right = is_right and abs(found - truth) <= (
            POINTS + unnamed + (missed if work.is_last_run else 0))
    report += [f"{total} samples, {missed:.4f} of the time was missed", result.err.strip()]
    print("#", "; ".join(report[:-1]))
    expect_likely(is_right, *report)
    expect_likely(counts[None] <= 0.01 * total, "stacks that stand on nothing known:", *strange)
    return lines


@case(over=each_version)
def shares_of_tasks(work, interpreter):
    share_tasks(work, work.target(interpreter, "taskshares.py"))


@case(over=newest_here)
def shares_of_tasks_by_cpu(work, interpreter):
    share_tasks(work, work.target(interpreter, "taskshares.py"), "-m", "cpu", counts_idle=False)


@case(over=newest_here)
def shares_of_tasks_by_gil(work, interpreter):
    share_tasks(work, work.target(interpreter, "taskshares.py"), "-m", "gil", counts_idle=False)


@case(over=newest_here)
def shares_of_tasks_with_opcodes(work, interpreter):
    share_tasks(work, work.target(interpreter, "taskshares.py"), "--opcodes")


@case(over=newest_here)
def shares_of_tasks_with_native_frames(work, interpreter):
    """Machine code stands on the task that called it, and on the loop where it waits."""
    lines = share_tasks(work, work.target(interpreter, "taskshares.py"), "--native")
    idle = [[frame.function for frame in line.frames] for line in lines
            if [frame.function for frame in line.frames[:2]] == STANDS_ON["idle"]]
    expect(any("epoll_wait" in names for names in idle), "nothing waits in epoll_wait:", *idle[:9])
    begun = {short(line.frames[1].function) for line in lines
             if line.frames[0].function == "<task>" and len(line.frames) > 1}
    expect(begun <= {"main", "waiter", "worker", UNVERIFIED}, "between a task and its coroutine:", *begun)


@case(over=newest_here)
def shares_of_tasks_of_a_child(work, interpreter):
    share_tasks(work, in_a_tree(work, interpreter, "taskshares.py"), "--subprocesses")


@case(over=newest_here)
def shares_of_tasks_replayed_by_cpu(work, interpreter):
    share_tasks(work, work.target(interpreter, "taskshares.py"), counts_idle=False,
                replayed=("--mode", "cpu"))


@case(over=having("uvloop"))
def shares_of_tasks_on_uvloop(work, interpreter):
    share_tasks(work, work.target(interpreter, "taskshares.py", "uvloop"))


if __name__ == "__main__":
    raise SystemExit(main())
