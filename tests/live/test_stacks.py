#!/usr/bin/env python3
"""Every kind of frame, standing still: pyrometer must say what sys._current_frames() says."""

import json
import re
import sys
from pathlib import Path

from harness import (
    TARGET_ENVIRONMENT, Frame, case, every, expect, expect_equal, expect_status, main,
    newest, parse_collapsed, with_a_jit)


def shown(frame):
    return frame["function"], frame["file"], frame["line"]


def differences(found, wanted, name):
    """What a reader needs to know about two stacks (leaf first) that are not equal."""
    report = [f"thread {name}: {len(found)} frames, wanted {len(wanted)}"]
    for depth in range(max(len(found), len(wanted))):
        ours = found[depth] if depth < len(found) else None
        true = wanted[depth] if depth < len(wanted) else None
        if ours != true:
            report += [f"  {depth} from the leaf: found  {ours}", f"  {depth} from the leaf: wanted {true}"]
        if len(report) > 6:
            break
    return report


def expect_stacks(found, wanted, show):
    """Compares threads (both: {tid: frames leaf first}), and reports every one that differs."""
    expect_equal(sorted(found), sorted(wanted), "thread ids")
    report = []
    for tid, (name, frames) in wanted.items():
        true = [show(frame) for frame in frames]
        if found[tid] != true:
            report += differences(found[tid], true, name)
    expect(not report, *report)


def truth_of(target):
    return {t["tid"]: (t["name"], t["frames"]) for t in target.facts["threads"]}


def kernel_name(pid, tid):
    return Path(f"/proc/{pid}/task/{tid}/comm").read_text()[:-1]


def dump_of(work, target, *options):
    result = work.pyrometer("dump", *options, target.pid)
    expect_status(result, 0)
    return result.out


@case(over=every)
def dump_as_json(work, interpreter):
    target = work.still_target(interpreter, "stacks.py")
    dump = json.loads(dump_of(work, target, "--json"))
    found = {t["tid"]: [shown(f) for f in t["frames"]] for t in dump["threads"]}
    expect_stacks(found, truth_of(target), shown)

    expect_equal(dump["pid"], target.pid, "pid")
    expect_equal(dump["process"], kernel_name(target.pid, target.pid), "process")
    expect("stacks.py" in dump["command"], f"command: {dump['command']!r}")
    expect(interpreter.version.startswith(dump["python"]), f"python: {dump['python']!r}")
    expect(all(t["complete"] for t in dump["threads"]), "a thread is not complete")
    names = {t["tid"]: t["name"] for t in dump["threads"]}
    true_names = {
        t["tid"]: kernel_name(target.pid, t["tid"]) if t["name"] is None else t["name"]
        for t in target.facts["threads"]}
    expect_equal(names, true_names, "thread names")
    mains = [t["tid"] for t in dump["threads"] if t["main"]]
    expect_equal(mains, [target.pid], "the main thread")


@case(over=every)
def columns_in_dump(work, interpreter):
    target = work.still_target(interpreter, "stacks.py")
    dump = json.loads(dump_of(work, target, "--json"))
    found = {t["tid"]: [f.get("column") for f in t["frames"]] for t in dump["threads"]}
    truth = truth_of(target)
    # The program cannot know at which column its main thread stands: leave that one out.
    found[target.pid][0] = truth[target.pid][1][0]["column"] = None
    expect_stacks(found, truth, lambda frame: frame["column"])


def as_text(target, interpreter):
    """The lines of a text dump, by thread, as they should be."""
    blocks = {}
    for thread in target.facts["threads"]:
        name = thread["name"] or kernel_name(target.pid, thread["tid"])
        head = f'Thread {thread["tid"]} "{name}"' + (" (main)" if thread["main"] else "")
        blocks[thread["tid"]] = [head] + [
            f'  File "{f["file"]}", line {f["line"]}, in {f["function"]}'
            for f in reversed(thread["frames"])]
    return blocks


@case(over=newest)
def dump_as_text(work, interpreter):
    target = work.still_target(interpreter, "stacks.py")
    head, *lines = dump_of(work, target).decode().splitlines()
    expect(head.startswith(f"Process {target.pid} ("), f"first line: {head!r}")
    expect(head.endswith(f"), Python {interpreter.version}"), f"first line: {head!r}")
    # Sources, and what the kernel says of a thread, are test_dump.py's.
    plain = [re.sub(r'(^Thread .*("|\(main\))) .*', r"\1", line) for line in lines if line[:4] != "    "]
    text = re.sub(", column [0-9]+, in ", ", in ", "\n".join(plain) + "\n")
    for block in as_text(target, interpreter).values():
        expect("\n".join(block) + "\n" in text, "the dump does not have these lines:", *block)
    frames = sum(len(t["frames"]) for t in target.facts["threads"])
    expect_equal(text.count("  File "), frames, "frames in the dump")


@case(over=every)
def collapsed(work, interpreter):
    target = work.still_target(interpreter, "stacks.py")
    path = work.out / "stacks.collapsed"
    result, stats = work.profile("attach", target.pid, "-r", "50", "-d", "0.5", "-o", path)
    lines = parse_collapsed(path)
    found, twice = {}, []
    for line in lines:
        twice += [line] if line.tid in found else []
        found[line.tid] = list(reversed(line.frames))
    expect(not twice, "more than one stack of threads that stand still:", *twice[:8], result.err)
    expect_stacks(found, truth_of(target), lambda frame: Frame(*shown(frame)))
    expect_equal(len({line.count for line in lines}), 1, "how many different counts there are")
    expect_equal(stats["threads"], len(target.facts["threads"]), "threads in the stats")
    expect_equal(stats["lost"], 0, "lost samples of threads that stand still")


@case(over=with_a_jit)
def dump_with_the_jit(work, interpreter):
    """The just-in-time compiler must not change what is seen."""
    environment = dict(TARGET_ENVIRONMENT, PYTHON_JIT="1")
    target = work.still_target(interpreter, "stacks.py", 10000, env=environment)
    dump = json.loads(dump_of(work, target, "--json"))
    found = {t["tid"]: [shown(f) for f in t["frames"]] for t in dump["threads"]}
    expect_stacks(found, truth_of(target), shown)


if __name__ == "__main__":
    sys.exit(main())
