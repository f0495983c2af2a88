#!/usr/bin/env python3
"""What a recording costs: to write, on disk, and to read back.

    recording.py [--samples N] [--stacks N] [--build FOLDER]

Makes a recording of N samples of as many distinct stacks (recording.c), and says how much of a core
that would have taken while they were sampled at 10 kHz, how big it is beside the same as JSON lines,
and what replaying it to a flame graph takes. FOLDER holds libpyrometer.a and pyrometer, built
without sanitizers; default: build/cc.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
# JSON lines are measured for a part of the recording: all of them are dozens of gigabytes.
LINES_PART = 50
PACKAGES = ["libelf", "libcjson", "ncursesw", "libprotobuf-c", "zlib", "libzstd"]


def build_maker(build, program):
    found = subprocess.run(
        ["pkg-config", "--libs", *PACKAGES], check=True, stdout=subprocess.PIPE, text=True)
    command = [os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-pthread", f"-I{TREE}", HERE / "recording.c",
               build / "libpyrometer.a", *found.stdout.split(), "-o", program]
    subprocess.run(command, check=True)


def measured(command):
    """Runs to the end: (seconds, CPU seconds, most memory in bytes)."""
    begin = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: status {status}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def bytes_of_lines(pyrometer, recording, seconds):
    """Size of the first seconds of the recording as JSON lines, which are counted and thrown away."""
    command = [pyrometer, "replay", "-q", "--to", str(seconds), "-f", "jsonl", "-o", "-", recording]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    count = 0
    while block := process.stdout.read(1 << 20):
        count += len(block)
    if process.wait():
        sys.exit(f"{' '.join(command)}: status {process.returncode}")
    return count


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--stacks", type=int, default=200_000)
    parser.add_argument("--build", type=Path, default=TREE / "build" / "cc")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    pyrometer = str(arguments.build / "pyrometer")
    with tempfile.TemporaryDirectory(prefix="pyrometer-bench-") as folder:
        maker, recording = Path(folder, "maker"), str(Path(folder, "x.pyro"))
        build_maker(arguments.build, maker)
        made = subprocess.run([maker, recording, str(arguments.samples), str(arguments.stacks)],
                              check=True, stdout=subprocess.PIPE)
        cost = json.loads(made.stdout)
        size = os.path.getsize(recording)
        print(f"{arguments.samples:,} samples of {arguments.stacks:,} distinct stacks, "
              f"{cost['profile_s']:.0f} s at 10 kHz")
        print(f"written: {cost['cpu_s']:.2f} s of CPU time, {100 * cost['cpu_s'] / cost['profile_s']:.2f} % of a core")
        print(f"size: {size:,} bytes, {size / arguments.samples:.2f} bytes a sample")
        page = str(Path(folder, "x.html"))
        seconds, cpu, memory = measured([pyrometer, "replay", "-q", "-o", page, recording])
        print(f"replayed to a flame graph: {seconds:.2f} s ({cpu:.2f} s of CPU time), {memory / 1e6:.0f} MB")
        lines = bytes_of_lines(pyrometer, recording, cost["profile_s"] / LINES_PART) * LINES_PART
        print(f"as JSON lines: {lines:,} bytes (of 1/{LINES_PART}), {lines / size:.0f} times as much")


if __name__ == "__main__":
    main()
