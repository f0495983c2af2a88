"""Starts the programs of this folder, on a core of their own, and reads what they count.

Built on the live tests' harness (tests/live/harness.py): a Work owns the processes and the folders.
"""

import os
import shutil
import struct
from collections import namedtuple
from pathlib import Path

import calltree
from judge import Judge

FOLDER = Path(__file__).resolve().parent
BOARD_BYTES = 4096
BOARD_WORDS = 3

# A running program: the harness's Target, its board, and a Judge of its stacks (None: nothing to judge).
Running = namedtuple("Running", "target board judge interpreter")


class Board:
    """The words that a program counts in."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(BOARD_BYTES))

    def read(self):
        with open(self.path, "rb") as file:
            return struct.unpack("=%dQ" % BOARD_WORDS, file.read(8 * BOARD_WORDS))


def cores():
    """(the target's, the profiler's): two different ones, where there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]


def pinned(core):
    """The prefix of a command that is to stay on a core."""
    return ["taskset", "-c", str(core)]


def _place(work, interpreter):
    """A copy of this folder that the interpreter can see: (as we call it, as it calls it)."""
    ours, theirs = (folder / "truth" for folder in work.within(interpreter))
    if not ours.exists():
        shutil.copytree(FOLDER, ours, ignore=shutil.ignore_patterns("__pycache__"))
    return ours, theirs


def _start(work, interpreter, enter, words):
    """`words`: the program, its options; its board comes last."""
    ours, theirs = _place(work, interpreter)
    board = Board(ours / "board")
    program, *options = words
    command = [*pinned(cores()[0]), *enter, interpreter.python, theirs / program, *options, theirs / "board"]
    return work.target_of(command), board


def start_tree(work, interpreter, enter, form, *options):
    """A program of calltree.py."""
    target, board = _start(work, interpreter, enter, ["calltree.py", form, *options, "--board"])
    _, truth = calltree.program(form, calltree.options_of(options))
    return Running(target, board, Judge(truth, target.facts["file"]), interpreter)


def start_shares(work, interpreter, enter):
    target, board = _start(work, interpreter, enter, ["shares.py"])
    return Running(target, board, None, interpreter)


def waited_ns(pid):
    """How long the main thread has waited for a core: what is sampled meanwhile is one stack again and again."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])


def share_of_calls(before, after):
    """From two readings of the board of shares.py: the share of time that it spent in calls."""
    _, calls, loops = (late - early for early, late in zip(before, after))
    return calls / (calls + loops)


def share_of_samples(stacks):
    """The same as a profile says it: (share, number of samples it is made of)."""
    counts = {"call_heavy": 0, "call_free": 0}
    for frames, count in stacks:
        for name in counts.keys() & {frame.function for frame in frames}:
            counts[name] += count
    total = sum(counts.values())
    return (counts["call_heavy"] / total if total else 0.0), total
