#!/usr/bin/env python3
"""What --native costs its target.

    native.py [--threads N] [--rate HZ] [--pairs N] [--seconds S] [--waiting] [--python PYTHON]

Starts a program with N threads that compute in C without the GIL (with --waiting: one that does and
the others wait in the kernel), and measures in turn how much it gets done with nobody looking and
under `pyrometer attach --native`. Says how much slower it was: by the clock, in which our own use of
the cores counts where the program wants all of them, and by its own CPU time, where stops alone do;
and how much of the time its threads waited for a core, which they need not while others are idle.
"""

import argparse
import json
import mmap
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYROMETER = Path(__file__).resolve().parent.parent.parent / "build" / "pyrometer"

TARGET = """
import hashlib, mmap, struct, sys, threading, time
threads, working, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
file = open(path, "r+b")
board = mmap.mmap(file.fileno(), 8 * threads)
data = bytes(1 << 16)
def work(at):
    done = 0
    while True:
        hashlib.sha256(data)
        done += 1
        struct.pack_into("=Q", board, 8 * at, done)
def wait(at):
    time.sleep(100000)
for at in range(threads):
    threading.Thread(target=work if at < working else wait, args=(at,), daemon=True).start()
print("READY", flush=True)
time.sleep(100000)
"""


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=100)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--waiting", action="store_true")
    parser.add_argument("--python", default=sys.executable)
    return parser.parse_args()


class Program:
    def __init__(self, arguments):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(8 * arguments.threads)
        self.board = mmap.mmap(self.file.fileno(), 8 * arguments.threads)
        self.count = arguments.threads
        working = 1 if arguments.waiting else arguments.threads
        command = [arguments.python, "-c", TARGET, str(arguments.threads), str(working), self.file.name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def done(self):
        return sum(struct.unpack(f"={self.count}Q", self.board[:]))

    def scheduled(self):
        """Seconds that its threads have had a core, and that they have waited for one."""
        texts = (task.joinpath("schedstat").read_text() for task in Path(f"/proc/{self.process.pid}/task").iterdir())
        rows = [list(map(int, text.split()[:2])) for text in texts]
        return [sum(column) / 1e9 for column in zip(*rows)]

    def speeds(self, seconds):
        """What it does a second, and a second of its CPU time; seconds waited for a core in each."""
        begin, done, (cpu, waited) = time.monotonic(), self.done(), self.scheduled()
        time.sleep(seconds)
        work, elapsed, (cpu_after, waited_after) = self.done() - done, time.monotonic() - begin, self.scheduled()
        return (work / elapsed, work / (cpu_after - cpu)), (waited_after - waited) / elapsed

    def end(self):
        self.process.kill()
        self.process.wait()


def speeds_under(program, arguments, folder):
    """The same while it is profiled, and what the profiler says of itself."""
    stats = Path(folder) / "stats.json"
    command = [PYROMETER, "attach", "--native", "-q", "-r", str(arguments.rate), "-o", Path(folder) / "a.pyro",
               "--stats", stats, str(program.process.pid)]
    profiler = subprocess.Popen(command)
    time.sleep(1)  # symbols have been read
    speeds = program.speeds(arguments.seconds)
    profiler.terminate()
    if profiler.wait():
        sys.exit(f"pyrometer: status {profiler.returncode}")
    return speeds, json.loads(stats.read_text())


def main():
    arguments = read_arguments()
    program = Program(arguments)
    slower, waited = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.pairs):
            alone, waited_alone = program.speeds(arguments.seconds)
            (watched, waited_watched), stats = speeds_under(program, arguments, folder)
            waited.append(100 * (waited_watched - waited_alone))
            slower.append([100 * (1 - there / here) for here, there in zip(alone, watched)])
    program.end()
    pauses = stats.get("pauses", {"count": 0, "median_s": 0, "max_s": 0})
    by_clock, by_cpu = ([row[i] for row in slower] for i in (0, 1))
    print(f"{arguments.threads} threads, {stats['rate_hz']:.0f} of {arguments.rate} Hz, "
          f"{stats['samples']} samples in {stats['duration_s']:.1f} s, {stats['lost']} lost")
    print(f"slower by the clock: {statistics.median(by_clock):.2f} % (median of {len(slower)}, "
          f"{min(by_clock):.2f} to {max(by_clock):.2f})")
    print(f"slower by its CPU time: {statistics.median(by_cpu):.2f} % ({min(by_cpu):.2f} to {max(by_cpu):.2f})")
    print(f"it waited for a core {statistics.median(waited):.2f} % of the time longer "
          f"({min(waited):.2f} to {max(waited):.2f})")
    print(f"{pauses['count']} stops, median {1e6 * pauses['median_s']:.0f} us, longest {1e6 * pauses['max_s']:.0f} us; "
          f"we took {100 * stats['cpu_s'] / stats['duration_s']:.1f} % of a CPU")


if __name__ == "__main__":
    main()
