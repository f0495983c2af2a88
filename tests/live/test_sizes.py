#!/usr/bin/env python3
"""Many threads, deep stacks, long and odd names: all right, and in bounded memory."""

import json
import sys

from harness import (
    case, each_version, every, expect, expect_equal, expect_likely, expect_status, functions_of, main,
    newest, parse_collapsed, samples_of)

THREADS = 1000
FRAMES = 20000
MEMORY = 400 * 1000 * 1000  # bytes the profiler may use


def as_text(name):
    """How a name is shown: a lone surrogate, which is no character, and NUL as an escape."""
    name = name.replace("\0", "\\x00")
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in name)


def true_stacks(target):
    return {
        t["tid"]: [(as_text(f["function"]), as_text(f["file"]), f["line"]) for f in t["frames"]]
        for t in target.facts["threads"]}


def dump_of(work, target):
    result = work.pyrometer("dump", "--json", target.pid)
    expect_status(result, 0)
    dump = json.loads(result.out.decode("utf-8"))
    return {t["tid"]: t for t in dump["threads"]}


def stack_in(thread):
    return [(f["function"], f["file"], f["line"]) for f in thread["frames"]]


def expect_bounded(stats):
    expect(stats["rss_bytes"] < MEMORY, f"{stats['rss_bytes']} bytes of memory were used")


@case(over=each_version)
def many_threads(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "threads", THREADS)
    truth = true_stacks(target)
    found = dump_of(work, target)
    expect_equal(len(found), THREADS + 1, "threads in the dump")
    wrong = [tid for tid, stack in truth.items() if stack_in(found[tid]) != stack]
    expect(not wrong, f"{len(wrong)} stacks are wrong, such as", *[found[t] for t in wrong[:2]])
    names = {t["tid"]: t["name"] for t in target.facts["threads"]}
    wrong = [tid for tid, name in names.items() if found[tid]["name"] != name]
    expect(not wrong, f"{len(wrong)} names are wrong, such as", *[found[t]["name"] for t in wrong[:2]])

    path = work.out / "p.collapsed"
    _, stats = work.profile("attach", target.pid, "-r", "50", "-d", "1", "-o", path)
    lines = parse_collapsed(path)
    expect_equal({line.tid for line in lines}, set(truth) | {target.pid}, "threads in the profile")
    expect_equal(stats["threads"], THREADS + 1, "threads in the stats")
    expect_equal(samples_of(lines), stats["ticks"] * (THREADS + 1) - stats["lost"], "samples")
    expect_bounded(stats)


@case(over=every)
def deep_stack(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "deep", FRAMES)
    [(tid, truth)] = true_stacks(target).items()
    expect(len(truth) > FRAMES, "the target is not deep")
    found = dump_of(work, target)[tid]
    expect_equal(len(found["frames"]), len(truth), "frames in the dump")
    expect(stack_in(found) == truth, "the frames are not the right ones")
    expect(found["complete"], "the stack is said to be incomplete")

    path = work.out / "p.collapsed"
    _, stats = work.profile("attach", target.pid, "-r", "50", "-d", "1", "-o", path)
    lines = [line for line in parse_collapsed(path) if line.tid == tid]
    expect_equal([len(line.frames) for line in lines], [len(truth)], "depths of its stacks")
    [line] = lines
    expect_equal(list(line.frames), list(reversed(truth)), "frames in the profile")
    expect_equal(line.count, stats["ticks"], "samples of the deep thread")
    expect_bounded(stats)


@case(over=every)
def odd_names(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "names")
    found = dump_of(work, target)
    report = []
    for thread in target.facts["threads"]:
        tid, name = thread["tid"], as_text(thread["name"])
        true, ours = true_stacks(target)[tid], stack_in(found[tid])
        for wanted, got in zip(true, ours):
            if wanted != got:
                report += [f"found  {got!r}"[:400], f"wanted {wanted!r}"[:400]]
        if len(true) != len(ours):
            report.append(f"thread {name[:100]!r} has {len(ours)} frames, wanted {len(true)}")
        if found[tid]["name"] != name:
            report += [f"thread {found[tid]['name']!r}"[:400], f"wanted {name!r}"[:400]]
    expect(not report, *report)


@case(over=each_version)
def odd_names_in_outputs(work, interpreter):
    """Whatever the names, each format keeps its own shape."""
    target = work.still_target(interpreter, "sizes.py", "names")
    names = ["p.collapsed", "p.speedscope.json", "p.html", "p.txt"]
    outputs = [word for name in names for word in ("-o", work.out / name)]
    work.profile("attach", target.pid, "-r", "50", "-d", "0.5", *outputs)
    work.expect_outputs(*names)

    lines = parse_collapsed(work.out / names[0])
    true = {t["tid"]: t for t in target.facts["threads"]}
    expect_equal({line.tid for line in lines}, set(true) | {target.pid}, "threads in the profile")
    for line in lines:
        if line.tid in true:
            expect_equal(len(line.frames), len(true[line.tid]["frames"]), "frames in one line")

    scope = json.loads((work.out / names[1]).read_text("utf-8"))
    shown = {frame["name"] for frame in scope["shared"]["frames"]}
    wanted = {as_text(t["frames"][0]["function"]) for t in true.values()}
    expect(wanted <= shown | {""}, "names missing in speedscope:",
           *[repr(name)[:200] for name in wanted - shown])

    page = (work.out / names[2]).read_text("utf-8")
    expect("<script>alert(1)" not in page, "a name became markup in the flame graph")
    expect("\x1b" not in (work.out / names[3]).read_text("utf-8"), "an escape reached the table")


@case(over=newest)
def escapes_do_not_reach_the_terminal(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "names")
    for arguments in (["dump", target.pid], ["attach", target.pid, "-d", "0.3"]):
        result = work.pyrometer(*arguments)
        expect_status(result, 0)
        expect(b"\x1b" not in result.out, f"{arguments[0]} passes escape sequences on")
        expect("\x1b" not in result.err, f"{arguments[0]} passes escape sequences on")


@case(over=newest)
def much_code(work, interpreter):
    """Ever new functions: memory follows what is different, and stays small."""
    target = work.target(interpreter, "puppet.py")
    target.order("load", 4)
    path = work.out / "p.collapsed"
    _, stats = work.profile("attach", target.pid, "-r", "1khz", "-d", "3", "-o", path)
    made = [name for name in functions_of(parse_collapsed(path)) if name.startswith("made_")]
    expect_likely(len(made) > 100, f"only {len(made)} different functions were seen")
    expect_bounded(stats)


if __name__ == "__main__":
    sys.exit(main())
