#!/usr/bin/env python3
"""What a server under load loses while it is profiled.

    throughput.py [--pairs N] [--seconds S] [--rate RATE] [--share] NAME...

Starts the server, lets ab (Debian: apache2-utils) ask it as fast as it answers, and measures in turn
its answers a second with nobody looking and under `pyrometer attach -s`. Two numbers for each pair: by
the clock, and by the server's own CPU time, which others that want the cores disturb less. The server has a core to itself, ab and we the other; with --share all have all.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import packages
import servers

PYROMETER = Path(__file__).resolve().parent.parent.parent / "build" / "pyrometer"
CONNECTIONS = 8
MOST_REQUESTS = 1_000_000
SETTLE_SECONDS = 0.5


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", metavar="NAME", nargs="+", choices=list(servers.COMMANDS), help="fastapi or django")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rate", default="1khz")
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

    def speeds(self):
        """Answers a second, and a second of its CPU time."""
        load = ["ab", "-q", "-t", str(self.arguments.seconds), "-n", str(MOST_REQUESTS), "-c", str(CONNECTIONS)]
        cpu = cpu_seconds(self.process.pid)
        said = subprocess.run([*pinned(self.arguments, -1), *load, self.address], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        cpu = cpu_seconds(self.process.pid) - cpu
        complete = int(re.search(r"^Complete requests:\s*(\d+)", said, re.MULTILINE)[1])
        seconds = float(re.search(r"^Time taken for tests:\s*([\d.]+)", said, re.MULTILINE)[1])
        return complete / seconds, complete / cpu

    def speeds_watched(self, folder):
        """The same while it is profiled, and what the profiler says of itself."""
        stats = Path(folder) / "stats.json"
        command = [PYROMETER, "attach", "-s", "-q", "-r", self.arguments.rate, "-o", Path(folder) / "a.pyro",
                   "--stats", stats, str(self.process.pid)]
        profiler = subprocess.Popen([*pinned(self.arguments, -1), *command])
        time.sleep(SETTLE_SECONDS)
        try:
            speeds = self.speeds()
        finally:
            profiler.terminate()
            status = profiler.wait()
        if status:
            sys.exit(f"pyrometer: status {status}")
        return speeds, json.loads(stats.read_text())

    def end(self):
        self.process.terminate()
        self.process.wait()


def measure(server, folder):
    """[(speeds alone, speeds watched)], and the last stats; who begins alternates."""
    rows, stats = [], {}
    server.speeds()  # warms it up
    for number in range(server.arguments.pairs):
        alone = server.speeds() if number % 2 == 0 else None
        watched, stats = server.speeds_watched(folder)
        rows.append((alone or server.speeds(), watched))
    return rows, stats


def tell(name, rows, stats):
    for at, what in enumerate(("by the clock", "by its CPU time")):
        falls = [100 * (1 - watched[at] / alone[at]) for alone, watched in rows]
        speed = statistics.median(alone[at] for alone, _ in rows)
        print(f"{name}: {speed:.0f} answers a second {what}; slower by {statistics.median(falls):.2f} % "
              f"(median of {len(falls)}, {min(falls):.2f} to {max(falls):.2f})")
    print(f"{name}: {stats['samples']} samples in {stats['duration_s']:.1f} s, {stats['lost']} lost, "
          f"{stats['late']} late; we took {100 * stats['cpu_s'] / stats['duration_s']:.1f} % of a CPU", flush=True)


def main():
    arguments = read_arguments()
    if not shutil.which("ab"):
        sys.exit("throughput: no ab here (Debian: apache2-utils)")
    for name in arguments.names:
        if not packages.folder_of(name).exists():
            print(f"{name}: skipped, not in the cache (tests/apps/packages.py {name})")
            continue
        server = Server(name, arguments)
        try:
            with tempfile.TemporaryDirectory() as folder:
                tell(name, *measure(server, folder))
        finally:
            server.end()


if __name__ == "__main__":
    main()
