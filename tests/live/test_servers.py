#!/usr/bin/env python3
"""A server with workers, under load: all of them are in the profile, also those that come later."""

import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict

from harness import (
    PROGRAMS, Skip, case, children_of, expect, expect_likely, expect_status, main, parse_collapsed,
    wait_until)

PYTHON = "/usr/bin/python3"
WORKERS = 4
TICKS = 300


def need_gunicorn():
    try:
        tried = subprocess.run([PYTHON, "-c", "import gunicorn"], stderr=subprocess.PIPE, check=False)
    except OSError as error:
        raise Skip(str(error)) from None
    if tried.returncode:
        raise Skip("no gunicorn (Debian: python3-gunicorn)")


def ask(path):
    """What the server answers: the PID of the worker that did."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        said = b"".join(iter(lambda: client.recv(4096), b""))
    return int(said.split()[-1])


class Load:
    """Asks as fast as it is answered, within a `with`."""

    def __init__(self, path):
        self.path = path
        self.answered = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(WORKERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._stop.is_set():
            try:
                self.answered.add(ask(self.path))
            except (OSError, IndexError, ValueError):
                pass  # a worker that is about to end


def samples_of_functions(path):
    """{pid: {function: samples whose stacks hold it}}"""
    found = defaultdict(lambda: defaultdict(int))
    for line in parse_collapsed(path):
        for function in {frame.function for frame in line.frames}:
            found[line.pid][function] += line.count
    return found


@case()
def workers_of_gunicorn(work):
    """Those there are when we come, and those that the master starts when it is told to."""
    need_gunicorn()
    path, output = work.folder / "socket", work.out / "p.collapsed"
    server = work.start(
        [PYTHON, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"unix:{path}", "--chdir",
         PROGRAMS, "--log-level", "critical", "server:answer"])
    wait_until(lambda: path.exists() and len(children_of(server.pid)) == WORKERS, "the server")
    with Load(path) as load:
        wait_until(lambda: load.answered, "an answer")
        first = set(children_of(server.pid))
        profiler = work.profiler("attach", "-s", server.pid, "-o", output)
        profiler.wait_until_it_samples()
        profiler.wait_for_ticks(TICKS)
        server.signal(signal.SIGHUP)
        second = set(wait_until(
            lambda: len(new := set(children_of(server.pid)) - first) == WORKERS and new, "new workers"))
        wait_until(lambda: load.answered & second, "an answer of a new worker")
        profiler.wait_for_ticks(TICKS)
    server.signal(signal.SIGTERM)
    expect_status(profiler.finish(), 0)

    found = samples_of_functions(output)
    for workers, which in ((first, "first"), (second, "second")):
        missing = [pid for pid in workers if pid not in found]
        expect_likely(not missing, f"{len(missing)} of the {which} workers have no samples")
        hot = sum(found[pid]["work"] for pid in workers)
        expect_likely(hot > 0, f"none of the {which} workers is seen at work")
    expect(found[server.pid]["work"] == 0, "the master works?")
    others = set(found) - first - second - {server.pid}
    expect_likely(not others, "workers that were not asked for: did the master give one up?", others)


if __name__ == "__main__":
    sys.exit(main())
