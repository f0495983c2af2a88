#!/usr/bin/env python3
"""Many processes in one profile: children of every kind, wrappers, and who is no Python."""

import json
import os
import sys
from collections import defaultdict

from harness import (
    NEW_PIDS, case, expect, expect_equal, expect_likely, expect_refusal, expect_status, main,
    need_pid_namespaces, newest_here, parse_collapsed, three, wait_until)

# Sleeps of the profiler at 1 kHz while children work: enough for each of them to be met.
TICKS = 300


class Family:
    """tests/programs/family.py, and what its children have said."""

    def __init__(self, work, interpreter, how, count, prefix=()):
        outside, inside = work.within(interpreter)
        self.folder = outside / "children"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.count = count
        command = work.command(interpreter, "family.py", how, count, inside / "children")
        self.target = work.target_of([*prefix, *command])
        self.pid = self.target.facts["pid"]

    def pids(self):
        return {int(path.stem) for path in self.folder.glob("*.child")}

    def begin(self):
        self.target.popen.stdin.write(b"go\n")
        self.target.popen.stdin.flush()

    def wait_until_all_work(self):
        wait_until(lambda: len(self.pids()) == self.count, f"{self.count} children")

    def end(self):
        (self.folder / "stop").touch()
        expect_equal(self.target.wait(), 0, "exit status of the target")


def samples_by_process(path):
    """{pid: {function: samples whose stacks hold it}}"""
    found = defaultdict(lambda: defaultdict(int))
    for line in parse_collapsed(path):
        for function in {frame.function for frame in line.frames}:
            found[line.pid][function] += line.count
    return found


def profile_family(work, family, *options):
    """Attaches before there is a child: (samples by process, stats)."""
    path, stats = work.out / "p.collapsed", work.folder / "stats.json"
    profiler = work.profiler(
        "attach", "-s", *options, family.target.pid, "-o", path, "--stats", stats)
    profiler.wait_until_it_samples()
    family.begin()
    family.wait_until_all_work()
    profiler.wait_for_ticks(TICKS)
    family.end()
    expect_status(profiler.finish(), 0)
    return samples_by_process(path), json.loads(stats.read_text())


def expect_children(family, found, others=0):
    """All children are there, doing what they do, and at most so many processes that are none."""
    pids = family.pids()
    missing = [pid for pid in pids if found[pid]["work_of_child"] == 0]
    expect_likely(not missing, f"{len(missing)} of {len(pids)} children have no samples", dict(found))
    expect_likely(found[family.pid]["wait_for_children"] > 0, "the parent is not there waiting")
    expect(len(set(found) - pids - {family.pid}) <= others, "who are they?", dict(found))


# -- children of every kind ---------------------------------------------------------------------


@case(over=three)
def children_by_fork(work, interpreter):
    family = Family(work, interpreter, "os.fork", 3)
    found, stats = profile_family(work, family)
    expect_children(family, found)
    expect_equal(stats["processes"], len(found), "processes")
    expect_equal(stats["pid"], family.pid, "pid")
    expect_equal(stats["samples"], sum(line.count for line in parse_collapsed(work.out / "p.collapsed")),
                 "samples")


@case(over=three)
def children_by_exec(work, interpreter):
    """For a moment a child is its parent, by vfork or fork; that is not to be shown."""
    family = Family(work, interpreter, "exec", 3)
    found, _ = profile_family(work, family)
    expect_children(family, found)
    doubles = [pid for pid in family.pids() if found[pid]["by_exec"] > 0]
    expect_likely(not doubles, "the parent is seen in children", dict(found))


@case(over=three)
def children_of_multiprocessing(work, interpreter):
    """The server of forkserver, and who tracks resources, are Pythons as well."""
    for how, others in (("fork", 0), ("spawn", 1), ("forkserver", 2)):
        run = type(work)(work.is_last_run)
        try:
            family = Family(run, interpreter, how, 2)
            found, _ = profile_family(run, family)
            expect_children(family, found, others)
        finally:
            run.close()


# A pool has semaphores, which Debian 11's glibc has in a /dev/shm of its own alone: a root has none.
@case(over=lambda: [i for i in three() if i.root is None or i.minor > 9])
def children_of_futures(work, interpreter):
    family = Family(work, interpreter, "futures", 3)
    found, _ = profile_family(work, family)
    expect_children(family, found, others=3)


@case(over=newest_here)
def children_of_children(work, interpreter):
    family = Family(work, interpreter, "nested", 4)
    found, _ = profile_family(work, family)
    expect_children(family, found)


@case(over=newest_here)
def children_through_a_shell(work, interpreter):
    """A shell is no Python, but may become one, or lead to one."""
    family = Family(work, interpreter, "shell", 4)
    found, stats = profile_family(work, family)
    expect_children(family, found)
    expect_likely(stats["not_python"] >= 2, "the shells are not counted", stats)


@case(over=newest_here)
def children_that_are_no_pythons(work, interpreter):
    path, stats = work.out / "p.collapsed", work.folder / "stats.json"
    family = Family(work, interpreter, "no_python", 3)
    profiler = work.profiler("attach", "-s", family.pid, "-o", path, "--stats", stats)
    profiler.wait_until_it_samples()
    family.begin()
    family.end()
    expect_status(profiler.finish(), 0)
    expect_equal(set(samples_by_process(path)), {family.pid}, "processes in the profile")
    counts = json.loads(stats.read_text())
    expect_equal(counts["processes"], 1, "processes")
    expect_likely(counts["not_python"] == 3, "processes that were met and are no Pythons", counts)


@case(over=three)
def children_that_live_shortly(work, interpreter):
    """As many as are missed must have found us off the CPU for as long as they live."""
    outside, inside = work.within(interpreter)
    path, stats_path, count = work.out / "p.collapsed", work.folder / "stats.json", 30
    command = work.command(
        interpreter, "short_children.py", count, "0.1", inside / "lives.json")
    result = work.pyrometer("run", "-s", "-o", path, "--stats", stats_path, "--", *command)
    expect_status(result, 0)
    found, stats = samples_by_process(path), json.loads(stats_path.read_text())
    lives = json.loads((outside / "lives.json").read_text())
    expect_equal(len(lives), count, "children")
    missed = [pid for pid in lives if found[int(pid)]["work_of_child"] == 0]
    excused = stats["late"] / stats["requested_hz"] / 0.1
    expect_likely(len(missed) <= 0.05 * count + excused,
                  f"{len(missed)} of {count} have no samples", result.err)
    expect(set(found) - {int(pid) for pid in lives} <= {stats["pid"]}, "who are they?", dict(found))


@case(over=newest_here)
def children_in_other_namespaces(work, interpreter):
    """Below a shell that starts them in a pid namespace, where they count from 1."""
    need_pid_namespaces()
    family = Family(work, interpreter, "os.fork", 2, prefix=NEW_PIDS)
    expect_equal(family.pid, 1, "pid of the target in its namespace")
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", "-s", family.target.pid, "-o", path)
    profiler.wait_until_it_samples()
    family.begin()
    family.wait_until_all_work()
    profiler.wait_for_ticks(TICKS)
    family.end()
    expect_status(profiler.finish(), 0)
    found = samples_by_process(path)
    working = [pid for pid in found if found[pid]["work_of_child"] > 0]
    expect_likely(len(working) == 2 and len(found) == 3, "not the three there are", dict(found))


@case(over=newest_here)
def children_are_stopped_as_well(work, interpreter):
    family = Family(work, interpreter, "os.fork", 2)
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", "-s", "--blocking", "-r", "200", family.pid, "-o", path)
    profiler.wait_until_it_samples()
    family.begin()
    family.wait_until_all_work()
    profiler.wait_for_ticks(TICKS)
    family.end()
    expect_status(profiler.finish(), 0)
    expect_children(family, samples_by_process(path))


@case(over=newest_here)
def children_without_being_asked_for(work, interpreter):
    family = Family(work, interpreter, "os.fork", 2)
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", family.pid, "-o", path)
    profiler.wait_until_it_samples()
    family.begin()
    family.wait_until_all_work()
    profiler.wait_for_ticks()
    family.end()
    expect_status(profiler.finish(), 0)
    expect_equal(set(samples_by_process(path)), {family.pid}, "processes in the profile")


# -- what is made of it -------------------------------------------------------------------------


@case(over=newest_here)
def processes_are_apart_in_outputs(work, interpreter):
    """The table has a row for each, a recording can be replayed for one, and tracks have their pids."""
    family = Family(work, interpreter, "os.fork", 2)
    recording, table = work.out / "p.pyro", work.out / "p.txt"
    profiler = work.profiler("attach", "-s", family.pid, "-o", recording, "-o", table)
    profiler.wait_until_it_samples()
    family.begin()
    family.wait_until_all_work()
    profiler.wait_for_ticks(TICKS)
    family.end()
    expect_status(profiler.finish(), 0)
    whole = samples_by_process(replayed(work, recording))
    expect_children(family, whole)
    rows = table.read_text().split("command\n")[-1].splitlines()
    expect_equal({int(row.split()[2]) for row in rows}, set(whole), "PIDs in the table")
    for pid in family.pids():
        part = samples_by_process(replayed(work, recording, "--process", str(pid)))
        expect_equal(part, {pid: whole[pid]}, "what --process leaves")
    for name, pids_in in (("p.firefox.json", firefox_pids), ("p.trace.json", chrome_pids),
                          ("p.speedscope.json", speedscope_pids)):
        path = work.folder / name
        expect_status(work.pyrometer("replay", recording, "-o", path), 0)
        expect_equal(pids_in(json.loads(path.read_text())), set(whole), f"processes in {name}")


def replayed(work, recording, *options):
    path = work.folder / "replayed.collapsed"
    expect_status(work.pyrometer("replay", recording, *options, "-o", path), 0)
    return path


def firefox_pids(profile):
    return {int(thread["pid"]) for thread in profile["threads"]}


def chrome_pids(trace):
    return {event["pid"] for event in trace["traceEvents"] if event["ph"] == "X"}


def speedscope_pids(file):
    return {int(profile["name"].split("(")[1].split(")")[0]) for profile in file["profiles"]}


# -- when it ends -------------------------------------------------------------------------------

DAEMON = """
import os, sys, time
until = time.monotonic() + 0.5
while time.monotonic() < until:
    pass
if os.fork() == 0:
    os.setsid()
    while os.path.isdir(sys.argv[1]):
        time.sleep(0.01)
    os._exit(0)
sys.exit(7)
"""


@case(over=newest_here)
def command_ends_before_its_child(work, interpreter):
    """What `run` started has ended: whoever waits for it need not wait for a daemon."""
    path = work.out / "p.collapsed"
    result = work.pyrometer(
        "run", "-s", "-o", path, "--", interpreter.python, "-c", DAEMON, work.out)
    expect_status(result, 7)
    expect(path.exists(), "no profile")


@case(over=newest_here)
def process_ends_before_its_child(work, interpreter):
    """Attached to, the others are seen to their end."""
    family = Family(work, interpreter, "os.fork", 2)
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", "-s", family.pid, "-o", path)
    profiler.wait_until_it_samples()
    family.begin()
    family.wait_until_all_work()
    profiler.wait_for_ticks(TICKS)
    family.target.popen.kill()
    family.target.popen.wait()
    profiler.wait_for_ticks(TICKS)
    expect(profiler.is_running(), "it ended with the process that was asked for")
    (family.folder / "stop").touch()
    expect_status(profiler.finish(), 0)
    found = samples_by_process(path)
    missing = [pid for pid in family.pids() if found[pid]["work_of_child"] == 0]
    expect_likely(not missing, f"{len(missing)} children have no samples", dict(found))


# -- who leads to a Python ----------------------------------------------------------------------

SPIN = """
import sys, time
def spin():
    until = time.perf_counter() + 0.4
    while time.perf_counter() < until:
        pass
spin()
"""


def profile_wrapped(work, *command):
    """Runs a command that starts Pythons: (Result, samples by process, stats)."""
    path, stats = work.out / "p.collapsed", work.folder / "stats.json"
    result = work.pyrometer("run", "-o", path, "--stats", stats, "--", *command)
    expect_likely(path.exists(), "no profile", result.err)
    return result, samples_by_process(path), json.loads(stats.read_text())


@case(over=three)
def command_leads_to_a_python(work, interpreter):
    python = work.command(interpreter, "-c", SPIN + "sys.exit(3)")
    for wrapper in (["sh", "-c", 'sleep 0.1; "$@"; exit $?', "sh"], ["timeout", "60"], ["env", "A=1"]):
        result, found, stats = profile_wrapped(work, *wrapper, *python)
        expect_status(result, 3)
        expect_equal(len(found), 1, "processes in the profile")
        [(pid, functions)] = found.items()
        expect_likely(functions["spin"] > 0, "no spin()", dict(found))
        expect(pid != stats["pid"] or wrapper[0] == "env", "a wrapper that did not fork?")


@case(over=newest_here)
def command_leads_to_one_after_the_other(work, interpreter):
    script = '"$0" -c "$1"; "$0" -c "$1"; exit 4'
    result, found, _ = profile_wrapped(work, "sh", "-c", script, interpreter.python, SPIN)
    expect_status(result, 4)
    expect_likely(len(found) == 2 and all(f["spin"] > 0 for f in found.values()),
                  "not two Pythons that spin", dict(found))


@case(over=newest_here)
def shell_above_a_python(work, interpreter):
    """Who asks for a shell is told what is below it, or asks for all of that."""
    family = Family(work, interpreter, "os.fork", 1, prefix=["sh", "-c", '"$@"; true', "sh"])
    for verb in ("attach", "dump"):
        expect_refusal(work.pyrometer(verb, family.target.pid), 5, str(family.pid), "-s")
    expect(family.pid != family.target.pid, "the shell did not fork")
    found, stats = profile_family(work, family)
    expect_children(family, found)
    expect_equal(stats["pid"], family.target.pid, "pid")
    expect_likely(stats["not_python"] == 1, "the shell is none", stats)


@case()
def shell_above_no_python(work):
    process = work.start(["sh", "-c", "sleep 100; true"])
    for options in ([], ["-s"]):
        refused = work.pyrometer("attach", *options, process.pid, "-d", "1")
        expect_refusal(refused, 5, str(process.pid))


if __name__ == "__main__":
    sys.exit(main())
