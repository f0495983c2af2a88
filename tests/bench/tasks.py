#!/usr/bin/env python3
"""What it takes to watch very many tasks that wait, and what that costs the loop.

    tasks.py [--tasks N] [--rate HZ] [--pairs N] [--seconds S] [--python PYTHON]

Starts a program with N tasks that wait, whose loop goes round as fast as it can, and measures in turn
how often it does with nobody looking and under `pyrometer attach --async-aware --async-mode all`. Says
the rate that was achieved, the memory and CPU time that we took, and how much slower the loop was: by
the clock, and by its own CPU time, in which a busy machine does not count.
"""

import argparse
import json
import mmap
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYROMETER = Path(__file__).resolve().parent.parent.parent / "build" / "pyrometer"

TARGET = """
import asyncio, mmap, struct, sys
count, path = int(sys.argv[1]), sys.argv[2]
file = open(path, "r+b")
board = mmap.mmap(file.fileno(), 8)
async def query(future):
    await future
async def handle(future):
    await query(future)
async def main():
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(handle(loop.create_future())) for _ in range(count)]
    await asyncio.sleep(0)
    print("READY", flush=True)
    done = 0
    while True:
        await asyncio.sleep(0)
        done += 1
        struct.pack_into("=Q", board, 0, done)
asyncio.run(main())
"""


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--python", default=sys.executable)
    return parser.parse_args()


class Program:
    def __init__(self, arguments):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(8)
        self.board = mmap.mmap(self.file.fileno(), 8)
        command = [*arguments.python.split(), "-c", TARGET, str(arguments.tasks), self.file.name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def rounds(self):
        return struct.unpack("=Q", self.board[:])[0]

    def cpu_seconds(self):
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def speeds(self, seconds):
        """Rounds of the loop a second, and a second of its CPU time."""
        begin, rounds, cpu = time.monotonic(), self.rounds(), self.cpu_seconds()
        time.sleep(seconds)
        done = self.rounds() - rounds
        return done / (time.monotonic() - begin), done / (self.cpu_seconds() - cpu)

    def end(self):
        self.process.kill()
        self.process.wait()


def speeds_under(program, arguments, folder):
    """The same while it is profiled, and what the profiler says of itself."""
    stats = Path(folder) / "stats.json"
    command = [PYROMETER, "attach", "--async-aware", "--async-mode", "all", "-q", "-r", str(arguments.rate),
               "-o", Path(folder) / "tasks.pyro", "--stats", stats, str(program.process.pid)]
    profiler = subprocess.Popen(command)
    time.sleep(1)  # it knows who there is
    speeds = program.speeds(arguments.seconds)
    profiler.terminate()
    if profiler.wait():
        sys.exit(f"pyrometer: status {profiler.returncode}")
    return speeds, json.loads(stats.read_text())


def spread(values):
    return f"{statistics.median(values):.2f} % (median of {len(values)}, {min(values):.2f} to {max(values):.2f})"


def main():
    arguments = read_arguments()
    program = Program(arguments)
    slower, told = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.pairs):
            alone = program.speeds(arguments.seconds)
            watched, stats = speeds_under(program, arguments, folder)
            slower.append([100 * (1 - there / here) for here, there in zip(alone, watched)])
            told.append(stats)
    program.end()
    rates = [stats["rate_hz"] for stats in told]
    print(f"{arguments.tasks} tasks: {statistics.median(rates):.2f} of {arguments.rate} Hz "
          f"({min(rates):.2f} to {max(rates):.2f}), "
          f"{max(stats['rss_bytes'] for stats in told) / 1e6:.1f} MB, "
          f"{100 * stats['cpu_s'] / stats['duration_s']:.1f} % of a CPU")
    print(f"{stats['tasks_there'] / stats['ticks']:.0f} tasks a tick, "
          f"{stats['tasks_seen'] / stats['ticks']:.1f} of them looked at")
    print(f"loop slower by the clock: {spread([row[0] for row in slower])}")
    print(f"loop slower by its CPU time: {spread([row[1] for row in slower])}")


if __name__ == "__main__":
    main()
