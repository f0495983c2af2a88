#!/usr/bin/env python3
"""The instructions that --opcodes sees in a hot loop are those that the interpreter's own dis shows."""

import json
from collections import Counter

from harness import (
    case, each_version, expect, expect_equal, main, parse_collapsed)

FEW = 50  # samples: fewer say nothing about how they are distributed


def counts_of(path):
    """{(offset, opcode): samples} of stacks whose newest frame is the loop's function."""
    counts = Counter()
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["type"] == "samples" and row["stack"] and row["stack"][-1]["function"] == "hot":
            leaf = row["stack"][-1]
            counts[leaf.get("offset"), leaf.get("opcode")] += row["samples"]
    return counts


def listings_of(target):
    """{offset: {opcodes that dis saw there}}, {offset: opcode as compiled}, the loop."""
    first = target.hear("LISTING")
    target.close_input()
    second = target.hear("LISTING")
    seen, compiled = {}, {}
    for offset, opcode, plain in first["instructions"] + second["instructions"]:
        seen.setdefault(offset, set()).add(opcode)
        compiled[offset] = plain
    return seen, compiled, first["loop"]


def rows_of(counts):
    return [f"{offset} {opcode}: {samples}" for (offset, opcode), samples in counts.most_common()]


@case(over=each_version)
def counts_of_a_loop(work, interpreter):
    target = work.target(interpreter, "hotloop.py")
    path, collapsed = work.out / "p.jsonl", work.out / "p.collapsed"
    work.profile("attach", target.pid, "--opcodes", "-d", "1", "-o", path, "-o", collapsed)
    counts = counts_of(path)
    seen, compiled, (begin, end) = listings_of(target)
    report = rows_of(counts) + [f"dis: {offset} {' '.join(names)}" for offset, names in sorted(seen.items())]
    for offset, opcode in counts:
        expect(offset is not None, "a sample without an instruction", *report)
        expect(opcode in seen.get(offset, ()), f"dis has no {opcode} at {offset}", *report)
        expect(begin <= offset <= end, f"{offset} is not in the loop from {begin} to {end}", *report)
    samples = sum(counts.values())
    leaves = [line for line in parse_collapsed(collapsed) if line.frames[-1].function == "hot"]
    expect_equal(samples, sum(line.count for line in leaves), "samples with an instruction, and self samples")
    expect(samples > 0, "no sample of the loop")
    if samples >= FEW:
        expect(len(counts) > 1, "the loop stands still", *report)
        expect(specialises(interpreter) == any(opcode != compiled[offset] for offset, opcode in counts),
               "specialised forms", *report)


def specialises(interpreter):
    """From 3.11 on, free-threaded from 3.14 on."""
    return interpreter.minor >= (14 if interpreter.is_free_threaded else 11)


@case(over=each_version)
def nothing_without_the_option(work, interpreter):
    target = work.target(interpreter, "hotloop.py")
    path = work.out / "p.jsonl"
    work.profile("attach", target.pid, "-d", "0.2", "-o", path)
    expect(set(counts_of(path)) <= {(None, None)}, "instructions that nobody asked for", *rows_of(counts_of(path)))


if __name__ == "__main__":
    raise SystemExit(main())
