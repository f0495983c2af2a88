"""Samples of a process that stands still while it is looked at: slow, and true.

The target is stopped by a signal at random instants, shown by `pyrometer dump`, and let go on. It
must be a child of the caller.
"""

import json
import os
import random
import signal
import subprocess
import time
from contextlib import contextmanager

from judge import Frame

# Mean time that the target runs between two looks: long against what stopping leaves behind.
MEAN_GAP_SECONDS = 0.005


@contextmanager
def standing_still(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, pid, os.WSTOPPED)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def stacks_of(dump):
    """[(frames, 1)] for the threads of what `dump --json` printed that have frames."""
    stacks = []
    for thread in json.loads(dump)["threads"]:
        frames = tuple(Frame(f["function"], f.get("file", ""), f.get("line", 0)) for f in thread["frames"][::-1])
        if frames:
            stacks.append((frames, 1))
    return stacks


def look(pid, pyrometer):
    with standing_still(pid):
        command = [pyrometer, "dump", "--json", str(pid)]
        dump = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout
    return stacks_of(dump)


def sample_stopped(pid, pyrometer, count, seconds):
    """Stacks of `count` looks, or of as many as there is time for."""
    chance = random.Random(pid)
    stacks, end = [], time.monotonic() + seconds
    for _ in range(count):
        if time.monotonic() > end:
            break
        time.sleep(chance.expovariate(1 / MEAN_GAP_SECONDS))
        stacks += look(pid, pyrometer)
    return stacks
