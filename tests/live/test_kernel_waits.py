#!/usr/bin/env python3
"""What threads wait for in the kernel: dump, recordings and the table against the program's threads."""

import json
import os
import re
from pathlib import Path

from harness import (
    NEW_PIDS, Skip, case, children_of, expect, expect_equal, main, need_pid_namespaces, need_root, newest,
    private_mounts, three)

WAITS = {
    "sleeps": "sleeps",
    "waits for a lock": "locked",
    "polls": "polls",
    "waits for the network": "network",
    "waits for a file": "file",
    "waits for a child": "child",
}

# In these they do.
FUNCTIONS = ("hrtimer_nanosleep", "futex_", "poll_schedule_timeout", "unix_stream_", "(?:anon_)?pipe_", "do_wait")

# Nothing is in the files whose names follow, up to "--"; what comes then is executed.
EMPTIED = 'while [ "$1" != -- ]; do mount --bind /dev/null "$1" || exit 99; shift; done; shift; exec "$@"'


def doings_of(work, pid, **options):
    """{thread: what dump says that it does}, once all wait."""
    for _ in range(100):
        dumped = json.loads(work.pyrometer("dump", "--json", pid, **options).out)
        doings = {thread["name"]: thread["doing"] for thread in dumped["threads"]}
        if all(any(doing in WAITS for doing in doings.get(name, ())) for name in WAITS):
            break
    return doings


@case(over=three)
def dump_says_what_threads_wait_for(work, interpreter):
    expect_doings(doings_of(work, work.target(interpreter, "kernelwaits.py").pid))


def expect_doings(doings):
    for name in WAITS:
        expect_equal([doing for doing in doings[name] if doing in WAITS], [name], f"{name}: {doings}")


@case(over=three)
def samples_say_what_threads_wait_for(work, interpreter):
    expect_waits(work, work.target(interpreter, "kernelwaits.py").pid)


@case(over=three)
def threads_of_another_pid_and_mount_namespace(work, interpreter):
    """They have other ids there, by which nothing must be asked here."""
    need_pid_namespaces()
    unshare = work.target_of([*NEW_PIDS, *work.command(interpreter, "kernelwaits.py")])
    [pid] = children_of(unshare.pid)
    for space in ("pid", "mnt"):
        expect(os.readlink(f"/proc/{pid}/ns/{space}") != os.readlink(f"/proc/self/ns/{space}"), f"the same {space}")
    expect_doings(doings_of(work, pid))
    expect_waits(work, pid)


@case(over=newest)
def where_system_calls_are_not_told(work, interpreter):
    """By the kernel's functions."""
    need_root()
    target = work.target(interpreter, "kernelwaits.py")
    doings_of(work, target.pid)  # all are there
    threads = sorted(Path(f"/proc/{target.pid}/task").iterdir())
    places = " ".join((thread / "wchan").read_text() for thread in threads)
    if not all(re.search(rf"\b{function}", places) for function in FUNCTIONS):
        raise Skip(f"not the functions that Linux has waited in so far: {places}")
    prefix = [*private_mounts(), "sh", "-c", EMPTIED, "sh", *[f"{thread}/syscall" for thread in threads], "--"]
    if work.profiler_of([*prefix, "true"]).finish().status == 99:
        raise Skip("cannot mount here")
    told = work.profiler_of([*prefix, "cat", *[f"{thread}/syscall" for thread in threads]]).finish()
    expect_equal(told.out, b"", "system calls told")
    expect_doings(doings_of(work, target.pid, prefix=prefix))
    expect_waits(work, target.pid, prefix=prefix)


def expect_waits(work, pid, **options):
    """The same of samples, whose time is counted."""
    doings_of(work, pid, **options)
    recording, table, lines = (work.out / name for name in ("k.pyro", "k.txt", "k.jsonl"))
    work.profile("attach", pid, "-d", "1", "-o", recording, **options)
    work.pyrometer("replay", recording, "-o", table, "-o", lines)
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    found = {}
    for row in rows:
        if row["type"] == "samples":
            found.setdefault(row["thread"], set()).update(set(row.get("state", ())) & set(WAITS.values()))
    for name, state in WAITS.items():
        expect_equal(found.get(name), {state}, f"{name}: {found}")
    text = table.read_text()
    expect("wait %  in the kernel" in text, "no breakdown", text)
    for name in WAITS:
        row = next((line.split(None, 1) for line in text.splitlines() if line.endswith("  " + name)), None)
        # The main thread waits for its input.
        sevenths = 2 if name == "waits for a file" else 1
        expect(row is not None and abs(float(row[0]) - sevenths * 100 / 7) < 1,
               f"{name} is {sevenths} sevenths of the time: {row}", text)


if __name__ == "__main__":
    raise SystemExit(main())
