#!/usr/bin/env python3
"""Judges the stacks of a program that calltree.py made: could each of them have been?

    judge.py COLLAPSED FORM [options of calltree.py]

prints one JSON object about a collapsed file. As a module: Judge(truth, file).judge(stacks).
"""

import json
import os
import sys
from collections import Counter, namedtuple
from dataclasses import dataclass, field

import calltree

# One frame as a profiler shows it; a stack is a sequence of them, root first.
Frame = namedtuple("Frame", "function file line")

# Frames that say of their stack that it may never have been; it does not count as verified.
UNVERIFIED = frozenset({"<unverified>", "<missing frames>"})
# Of these, the one that stands for frames that are not there: the stack has no known depth.
MISSING = "<missing frames>"
# Frames that stand for no Python function; a stack is judged without them.
NOT_PYTHON = frozenset({"<native>", "<GC>"})
# Examples of each kind of mistake that are kept for the reader.
EXAMPLES = 5


@dataclass
class Verdict:
    """Counts of samples. The distributions are those of the main thread, without truncated stacks."""

    samples: int = 0
    wrong_function: int = 0  # shown as verified, and a function has a caller that never calls it
    wrong_line: int = 0  # shown as verified, right functions, and a line that never makes the call
    unverified: int = 0  # marked; all below are counted here too
    unverified_wrong: int = 0  # marked, and rightly so
    truncated: int = 0  # marked as not whole
    levels: Counter = field(default_factory=Counter)  # by number of frames
    leaves: Counter = field(default_factory=Counter)  # by name of function
    examples: list = field(default_factory=list)

    @property
    def impossible(self):
        return self.wrong_function + self.wrong_line

    def share(self, count):
        return count / self.samples if self.samples else 0.0

    def facts(self):
        """The counts, for JSON."""
        names = ("samples", "wrong_function", "wrong_line", "unverified", "unverified_wrong", "truncated")
        facts = {name: getattr(self, name) for name in names}
        return {**facts, "levels": dict(sorted(self.levels.items())), "leaves": dict(self.leaves)}


def short(name):
    """Names differ in nothing but what qualifies them: from 3.11 on, and not with every profiler."""
    return name.rpartition(".")[2]


class Judge:
    def __init__(self, truth, file):
        """`file` is the program's; its last part must do, as some profilers show no more."""
        self._truth = truth
        self._file = os.path.basename(file)

    def _is_ours(self, frame):
        return os.path.basename(frame.file) == self._file

    def _complain_of_our(self, caller, frame):
        known = self._truth.functions.get(short(frame.function))
        if known is None:
            return "function"
        if caller is None:
            return None if known.caller is None and short(frame.function) not in self._truth.entered else "function"
        if not self._is_ours(caller):
            return None if short(frame.function) in self._truth.entered else "function"
        if short(caller.function) != known.caller:
            return "function"
        return None if caller.line == known.call_line else "line"

    def _complain_of_foreign(self, caller):
        if caller is None:
            return "function"
        if not self._is_ours(caller):
            return None
        line = self._truth.foreign.get(short(caller.function))
        return "function" if line is None else None if caller.line == line else "line"

    def complain(self, frames):
        """"function" or "line" for a stack that cannot have been, with the first frame that shows it.

        A leaf may have line 0: not every instruction has a line, such as the first of a generator.
        """
        lines = None
        for caller, frame in zip([None, *frames], frames):
            is_ours = self._is_ours(frame)
            complaint = self._complain_of_our(caller, frame) if is_ours else self._complain_of_foreign(caller)
            if complaint == "function":
                return complaint, frame
            lines = lines or (complaint and frame)
        leaf = frames[-1]
        if not lines and self._is_ours(leaf):
            known = self._truth.functions[short(leaf.function)]
            lines = None if known.first_line <= (leaf.line or known.first_line) <= known.last_line else leaf
        return ("line", lines) if lines else (None, None)

    def judge(self, stacks):
        """Takes (frames, count) and returns a Verdict."""
        verdict = Verdict()
        for frames, count in stacks:
            self._judge_one(verdict, frames, count)
        return verdict

    def _judge_one(self, verdict, frames, count):
        verdict.samples += count
        marks = {frame.function for frame in frames} & UNVERIFIED
        frames = [f for f in frames if f.function not in UNVERIFIED and f.function not in NOT_PYTHON]
        complaint, where = self.complain(frames) if frames else ("function", None)
        if marks:
            verdict.unverified += count
            verdict.unverified_wrong += count if complaint else 0
            verdict.truncated += count if MISSING in marks else 0
        elif complaint:
            verdict.wrong_function += count if complaint == "function" else 0
            verdict.wrong_line += count if complaint == "line" else 0
            if len(verdict.examples) < EXAMPLES:
                verdict.examples.append((count, complaint, where, frames))
        if frames and MISSING not in marks and short(frames[0].function) == "<module>":
            verdict.levels[len(frames)] += count
            verdict.leaves[short(frames[-1].function)] += count


def describe(example):
    """A line about an example of a Verdict."""
    count, complaint, where, frames = example
    shown = " ".join("%s:%s" % (short(frame.function), frame.line) for frame in frames[-12:])
    return "%d x wrong %s at %s: ... %s" % (count, complaint, short(where.function) if where else "-", shown)


def main():
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
    import harness

    path, *words = sys.argv[1:]
    options = calltree.parser().parse_args(words)
    _, truth = calltree.program(options.form, options)
    stacks = [(line.frames, line.count) for line in harness.parse_collapsed(path)]
    verdict = Judge(truth, calltree.file_name(options.form)).judge(stacks)
    print(json.dumps(verdict.facts()))
    for example in verdict.examples:
        print(describe(example), file=sys.stderr)


if __name__ == "__main__":
    main()
