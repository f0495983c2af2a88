#!/usr/bin/env python3
"""What the live view costs at size.

    screen.py [--threads N] [--functions N] [--children N] [--tasks N] [--rate HZ] [--seconds S] [--python PYTHON]

Starts a program of so many threads, functions, children and tasks, shows it with `pyrometer top -s` on a
terminal of 200x60, and says of every view how long its key took to be answered (from the key to the
first bytes of another picture, and to the last) and how much of a core the thread that draws took
while the view was left alone. Then how long it takes until the right function of a small program is seen.
"""

import argparse
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

PYROMETER = Path(__file__).resolve().parent.parent.parent / "build" / "pyrometer"
VIEWS = "lcgvoHAGP?f"
QUIET_S = 0.05  # a picture is whole when nothing has come for so long

TARGET = """
import asyncio, os, subprocess, sys, threading, time
threads, functions, children, tasks = map(int, sys.argv[1:])
threading.stack_size(65536)
def rest(): time.sleep(100000)
for number in range(threads): threading.Thread(target=rest, daemon=True, name=f"idle-{number}").start()
helpers = [subprocess.Popen([sys.executable, "-c", "import os, time\\nparent = os.getppid()\\n"
                             "while os.getppid() == parent: time.sleep(0.1)"]) for _ in range(children)]
names = {}
exec("\\n".join(f"def f{i}():\\n for _ in range(20): pass\\n" + f" f{i + 1}()" * ((i + 1) % 100 > 0)
               for i in range(functions)), names)
def work():
    while True:
        for number in range(0, functions, 100): names[f"f{number}"]()
threading.Thread(target=work, daemon=True).start()
async def wait(): await asyncio.get_running_loop().create_future()
async def main(): await asyncio.gather(*(wait() for _ in range(tasks)), wait())
print("READY", flush=True)
asyncio.run(main())
"""


BURN = """
def burning():
    while True: pass
print("READY", flush=True)
burning()
"""


def ticks_of(pid, tid):
    fields = Path(f"/proc/{pid}/task/{tid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def drawing_thread(pid):
    return next(tid for tid in map(int, os.listdir(f"/proc/{pid}/task")) if tid != pid)


def press(fd, key, seconds):
    """(seconds until something came, until the last of it) within `seconds`; None when nothing came."""
    start = time.monotonic()
    os.write(fd, key.encode())
    first = last = None
    while (left := (start + seconds if last is None else last + QUIET_S) - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            break
        os.read(fd, 1 << 16)
        last = time.monotonic()
        first = first or last
    return first and (first - start, last - start)


def measure_view(fd, pid, key, seconds):
    """(ms to the first byte, ms to the last, share of a core when left alone)"""
    while select.select([fd], [], [], QUIET_S)[0]:
        os.read(fd, 1 << 16)
    answered = press(fd, key, 5) or (float("nan"),) * 2
    tid = drawing_thread(pid)
    before = ticks_of(pid, tid)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            os.read(fd, 1 << 16)
    share = (ticks_of(pid, tid) - before) / os.sysconf("SC_CLK_TCK") / seconds
    return answered[0] * 1000, answered[1] * 1000, share


def measure(options, target):
    fd, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    environment = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8")
    profiler = subprocess.Popen(
        [PYROMETER, "top", "-s", "-r", str(options.rate), str(target.pid)], env=environment, stdin=terminal,
        stdout=terminal, stderr=subprocess.DEVNULL)
    os.close(terminal)
    try:
        select.select([fd], [], [], 30)
        measure_view(fd, profiler.pid, "tt", 12)  # since the start, and time to see most of it
        print("| view | first byte, ms | last byte, ms | drawing, % of a core |\n| --- | --- | --- | --- |")
        rows = [(key, *measure_view(fd, profiler.pid, key, options.seconds)) for key in VIEWS]
        for key, first, last, share in rows:
            print(f"| {key} | {first:.1f} | {last:.1f} | {share:.1%} |")
        print(f"longest {max(row[2] for row in rows):.1f} ms, median {statistics.median(row[2] for row in rows):.1f} ms, "
              f"most {max(row[3] for row in rows):.1%} of a core")
        os.write(fd, b"q")
        profiler.wait(10)
    finally:
        profiler.kill()
        profiler.wait()


def seconds_to_lead(program):
    """From the start of `top` until the function that has all the time is on the screen. The program is a
    file: the header shows the command."""
    fd, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    target = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE)
    target.stdout.readline()
    start = time.monotonic()
    profiler = subprocess.Popen(
        [PYROMETER, "top", str(target.pid)], env=dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8"),
        stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL)
    os.close(terminal)
    try:
        seen = b""
        while b"burning" not in seen and select.select([fd], [], [], 30)[0]:
            seen += os.read(fd, 1 << 16)
        return time.monotonic() - start
    finally:
        for process in (profiler, target):
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description="What the live view costs at size.")
    for name, default in (("threads", 1000), ("functions", 10000), ("children", 100), ("tasks", 100), ("rate", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        crowd, small = Path(folder) / "crowd.py", Path(folder) / "small.py"
        crowd.write_text(TARGET)
        small.write_text(BURN)
        sizes = (options.threads, options.functions, options.children, options.tasks)
        target = subprocess.Popen([options.python, crowd, *map(str, sizes)], stdout=subprocess.PIPE)
        try:
            target.stdout.readline()
            measure(options, target)
        finally:
            target.kill()
            target.wait()
        seconds = statistics.median(seconds_to_lead(small) for _ in range(5))
    print(f"the right function is on the screen after {seconds:.2f} s")


if __name__ == "__main__":
    main()
