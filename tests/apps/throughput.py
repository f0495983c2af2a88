#!/usr/bin/env python3
"""What a server under load loses while it is profiled.

    throughput.py [--blocks N] [--seconds S] [--rate RATE] [--limit PERCENT] [--share] NAME...

Starts the server and lets ab (Debian: apache2-utils) ask it as fast as it answers, the same number of
questions each time: alone, watched by `pyrometer attach -s`, watched, alone. That is a block, in which a
drift of the machine cancels out; short ones and many see more than long ones and few. Told are two falls:
of the answers a second by the clock, and of those a second of the server's own CPU time, which others
that want the cores disturb less; and "by itself" that between two runs alone. The intervals hold the true
median 95 times in 100, however the falls are spread. The server has a core to itself, ab and the
profiler the other; with --share all have all.
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path

import packages
import servers

PYROMETER = os.environ.get("PYROMETER") or Path(__file__).resolve().parent.parent.parent / "build" / "pyrometer"
CONNECTIONS = 8
ATTACH_SECONDS = 2
RESUME_SECONDS = 0.05
CONFIDENCE = 0.95

# What one run of ab shows: answers a second, and a second of the server's CPU time.
Speeds = namedtuple("Speeds", ("by_the_clock", "by_its_cpu_time"))


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", metavar="NAME", nargs="+", choices=list(servers.COMMANDS), help="fastapi or django")
    parser.add_argument("--blocks", type=int, default=60, help="of four runs each")
    parser.add_argument("--seconds", type=float, default=0.4, help="that a run takes, about")
    parser.add_argument("--rate", default="1khz")
    parser.add_argument("--limit", type=float, default=2, help="the fall, in percent, to show or refute")
    parser.add_argument("--share", action="store_true")
    return parser.parse_args()


def pinned(arguments, core):
    cores = sorted(os.sched_getaffinity(0))
    return [] if arguments.share or len(cores) < 2 else ["taskset", "-c", str(cores[core])]


def family_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family_of(int(child)))]


def cpu_seconds(pid):
    """Of the process, and of those below it."""
    tasks = (task for one in family_of(pid) for task in Path(f"/proc/{one}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Server:
    def __init__(self, name, arguments):
        self.arguments = arguments
        self.questions = CONNECTIONS
        with servers.listen() as listening:
            self.address = servers.address_of(listening)
            command = [*pinned(arguments, 0), *servers.command_of(name, listening)]
            self.process = subprocess.Popen(command, pass_fds=[listening.fileno()],
                                            env=packages.environment_of(name))
        try:
            servers.wait_until_up(self.address)
        except TimeoutError:
            self.end()
            raise

    def warm_up(self):
        """And finds how many questions take the seconds that a run has."""
        while True:
            begin = time.monotonic()
            self.speeds()
            taken = time.monotonic() - begin
            if taken > self.arguments.seconds:
                break
            self.questions *= 2
        self.questions = max(CONNECTIONS, round(self.questions * self.arguments.seconds / taken))

    def speeds(self):
        load = ["ab", "-q", "-n", str(self.questions), "-c", str(CONNECTIONS), self.address]
        cpu = cpu_seconds(self.process.pid)
        said = subprocess.run([*pinned(self.arguments, -1), *load], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
        cpu = cpu_seconds(self.process.pid) - cpu
        complete = int(re.search(r"^Complete requests:\s*(\d+)", said, re.MULTILINE)[1])
        seconds = float(re.search(r"^Time taken for tests:\s*([\d.]+)", said, re.MULTILINE)[1])
        return Speeds(complete / seconds, complete / cpu)

    def end(self):
        self.process.terminate()
        self.process.wait()


class Profiler:
    """Of a server. It is stopped where it is not to look, which takes no time, and nothing from the server:
    that is only read, by who runs."""

    def __init__(self, server, folder):
        self._stats = Path(folder) / "stats.json"
        command = [PYROMETER, "attach", "-s", "-q", "-r", server.arguments.rate, "-o", Path(folder) / "a.pyro",
                   "--stats", self._stats, str(server.process.pid)]
        self._process = subprocess.Popen([*pinned(server.arguments, -1), *command])
        self.looked_seconds = ATTACH_SECONDS
        time.sleep(ATTACH_SECONDS)
        self._process.send_signal(signal.SIGSTOP)

    @contextmanager
    def looking(self):
        begin = time.monotonic()
        self._process.send_signal(signal.SIGCONT)
        time.sleep(RESUME_SECONDS)
        yield
        self._process.send_signal(signal.SIGSTOP)
        self.looked_seconds += time.monotonic() - begin

    def end(self):
        """What it says of itself."""
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        status = self._process.wait()
        if status:
            sys.exit(f"pyrometer: status {status}")
        return json.loads(self._stats.read_text())


def measure(server, folder):
    """([(alone, watched, watched, alone)] of Speeds, what the profiler says of itself and how long it looked)"""
    blocks = []
    server.warm_up()
    profiler = Profiler(server, folder)
    try:
        for _ in range(server.arguments.blocks):
            before = server.speeds()
            with profiler.looking():
                watched = [server.speeds(), server.speeds()]
            blocks.append((before, *watched, server.speeds()))
    finally:
        stats = profiler.end()
    return blocks, {**stats, "looked_s": profiler.looked_seconds}


def interval_of_median(values):
    """(least, most) between which the median lies of what `values` were drawn from: by order statistics."""
    values, tail, outside = sorted(values), 0.0, 0
    while outside < len(values) // 2:
        tail += math.comb(len(values), outside) / 2 ** len(values)
        if 2 * tail > 1 - CONFIDENCE:
            break
        outside += 1
    # The `outside` least and as many of the most may be left off; with few values not even one.
    return (values[outside - 1], values[-outside]) if outside else (-math.inf, math.inf)


def fall(fast, slow):
    return 100 * (1 - slow / fast)


def falls_of(blocks, of):
    """Percent by which each block is slower while watched."""
    return [fall(of(a) + of(d), of(b) + of(c)) for a, b, c, d in blocks]


def falls_alone(blocks, of):
    """The same between two runs alone, one after the other."""
    return [fall(of(before[-1]), of(after[0])) for before, after in zip(blocks, blocks[1:])]


def judge(least, most, limit):
    if most < limit:
        return f"less than {limit:g} %: shown"
    return f"less than {limit:g} %: {'refuted' if least > limit else 'open'}"


def words_of(falls):
    least, most = interval_of_median(falls)
    return f"{statistics.median(falls):.2f} % ({least:.2f} to {most:.2f})"


def tell(name, blocks, stats, limit):
    for what in Speeds._fields:
        of = attrgetter(what)
        falls = falls_of(blocks, of)
        speed = statistics.median(of(row[0]) for row in blocks)
        print(f"{name}: {speed:.0f} answers a second {what.replace('_', ' ')}; falls by {words_of(falls)}, "
              f"{judge(*interval_of_median(falls), limit)}; by itself {words_of(falls_alone(blocks, of))}")
    looked = stats["looked_s"]
    print(f"{name}: {len(blocks)} blocks; looked for {looked:.0f} s at {stats['ticks'] / looked:.0f} Hz: "
          f"{stats['samples']} samples, {stats['lost']} lost, {stats['unverified']} unverified; "
          f"we took {100 * stats['cpu_s'] / looked:.1f} % of a CPU", flush=True)


def main():
    arguments = read_arguments()
    if not shutil.which("ab"):
        sys.exit("throughput: no ab here (Debian: apache2-utils)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started, and stopped, ends with us
    for name in arguments.names:
        if not packages.folder_of(name).exists():
            print(f"{name}: skipped, not in the cache (tests/apps/packages.py {name})")
            continue
        server = Server(name, arguments)
        try:
            with tempfile.TemporaryDirectory() as folder:
                tell(name, *measure(server, folder), arguments.limit)
        finally:
            server.end()


if __name__ == "__main__":
    main()
