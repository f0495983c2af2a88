#!/usr/bin/env python3
"""Programs that people run: what they spend their time in leads the table.

What is not in the cache is skipped by name; packages.py brings it.
"""

import sys
import threading
from collections import Counter
from http.client import HTTPException
from pathlib import Path

import packages
import servers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "live"))
from activities import expect_states_and_modes  # noqa: E402
from harness import (  # noqa: E402
    PROGRAMS, Skip, Unsettled, case, children_of, expect, expect_equal, expect_likely, main, parse_collapsed,
    samples_of, wait_until)

SECONDS = 2
NATIVE_RATE = "200"
# Fewer samples than these say nothing: the machine was too busy, and it takes longer.
LEAST_SAMPLES = 50
LONGER = (1, 3, 10)
CLIENTS = 8


def need(name):
    if not packages.folder_of(name).exists():
        raise Skip(f"no {name} in the cache (tests/apps/packages.py {name})")


def start(work, program, package=None, *arguments):
    if package:
        need(package)
    command = [sys.executable, servers.PROGRAMS / program, *arguments]
    return work.target_of(command, env=packages.environment_of(package or "none"))


def profile(work, pid, *options):
    output = work.out / "p.collapsed"
    for times in LONGER:
        result, _ = work.profile("attach", *options, "-d", SECONDS * times, "-o", output, pid)
        lines = parse_collapsed(output)
        if samples_of(lines) >= LEAST_SAMPLES:
            return lines
    raise Unsettled(f"only {samples_of(lines)} samples: {result.err}")


def leaves_of(lines):
    """Samples by the function that runs."""
    leaves = Counter()
    for line in lines:
        leaves[line.frames[-1].function] += line.count
    return leaves


def expect_lead(lines, function):
    leaders = leaves_of(lines).most_common(3)
    expect_likely(leaders[0][0] == function, f"{function} does not lead: {leaders}")


def below(lines, function):
    """Samples by the function that runs, of the stacks that hold `function`."""
    return leaves_of(line for line in lines if any(frame.function == function for frame in line.frames))


def expect_most(leaves, is_wanted, what):
    wanted = sum(count for name, count in leaves.items() if is_wanted(name))
    total = sum(leaves.values())
    expect_likely(2 * wanted > total, f"{wanted} of {total} are {what}: {leaves.most_common(5)}")


def is_named(name):
    return "+0x" not in name and not name.startswith("<")


def check_library(work, program, package, function):
    """Its Python function leads; with --native most leaves below it are functions that have names."""
    target = start(work, program, package)
    expect_lead(profile(work, target.pid), function)
    leaves = below(profile(work, target.pid, "--native", "-r", NATIVE_RATE), function)
    expect_most(leaves, lambda name: is_named(name) and name != function, "named native leaves")


@case()
def numpy(work):
    check_library(work, "matrix_numpy.py", "numpy", "multiply")


@case()
def modes_with_numpy(work):
    """It computes without the GIL."""
    need("numpy")
    command = [sys.executable, PROGRAMS / "states.py", "numpy"]
    expect_states_and_modes(work, work.target_of(command, env=packages.environment_of("numpy")))


@case()
def torch(work):
    check_library(work, "tensor_torch.py", "torch", "forward")


@case()
def numba(work):
    """Its machine code has no symbols: it is marked as generated, or named if there is a map."""
    target = start(work, "loop_numba.py", "numba")
    expect_lead(profile(work, target.pid), "main")
    leaves = below(profile(work, target.pid, "--native", "-r", NATIVE_RATE), "main")
    expect_most(leaves, lambda name: name == "<generated code>" or "kernel" in name, "of the kernel")


def expect_all_at_work(lines, workers, function):
    busy = {line.pid for line in lines if any(frame.function == function for frame in line.frames)}
    expect_likely(workers <= busy, f"of the workers {sorted(workers)} only {sorted(busy)} are seen at work")


@case()
def pool_of_multiprocessing(work):
    target = start(work, "pool.py")
    lines = profile(work, target.pid, "-s")
    expect_lead([line for line in lines if line.pid != target.pid], "crunch")
    expect_all_at_work(lines, set(target.facts["workers"]), "crunch")


@case()
def celery_with_prefork_workers(work):
    folder = work.out / "messages"
    folder.mkdir()
    target = start(work, "queue_celery.py", "celery", folder)
    workers = set(wait_until(lambda: children_of(target.pid), "workers"))
    expect_equal(len(workers), servers.WORKERS, "workers")
    lines = profile(work, target.pid, "-s", "-m", "cpu")
    expect_lead([line for line in lines if line.pid in workers], "crunch")
    expect_likely(below(lines, "handle")["crunch"], "the task is not in its stacks")
    expect_all_at_work(lines, workers, "crunch")


class Load:
    """Asks as fast as it is answered, within a `with`."""

    def __init__(self, address):
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        self.answered = set()

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
                self.answered.add(servers.ask(self._address)["pid"])
            except (OSError, ValueError, HTTPException):
                pass  # asked again


def serve(work, name):
    """(server, its address)"""
    need(name)
    with servers.listen() as listening:
        address = servers.address_of(listening)
        server = work.start(servers.command_of(name, listening), pass_fds=[listening.fileno()],
                            env=packages.environment_of(name))
    servers.wait_until_up(address)
    return server, address


def profile_under_load(work, name, *options):
    """(server, its workers that answered, lines of the profile). By CPU time: on a busy machine a worker
    often loses its core where it wakes who asked, and would seem to spend its time there."""
    server, address = serve(work, name)
    with Load(address) as load:
        lines = profile(work, server.pid, "-m", "cpu", *options)
    return server, load.answered, lines


@case()
def fastapi_under_uvicorn(work):
    server, answered, lines = profile_under_load(work, "fastapi")
    expect(answered == {server.pid}, f"others than the server answered: {answered}")
    expect_lead(lines, "crunch")
    expect_most(below(lines, "crunch"), lambda name: name == "crunch", "of the work itself")
    expect_likely(below(lines, "page")["crunch"], "the handler is not in its stacks")


@case()
def fastapi_waits_for_its_database(work):
    """The table names the line of the await for those that wait, as long as they do there, and the handler
    that computes for the CPU."""
    server, address = serve(work, "fastapi")
    table, recording, cpu = (work.out / name for name in ("p.txt", "p.pyro", "cpu.collapsed"))
    with Load(address + "slow"), Load(address):
        _, stats = work.profile("attach", "--async-aware", "--async-mode", "all", "-d", 2 * SECONDS, "-o", table,
                                "-o", recording, server.pid)
    rows = [row for row in stats["dwells"] if row["file"].endswith("site_fastapi.py") and row["mean_s"] > 0.04]
    print("#", rows)
    expect([row["function"] for row in rows] == ["query"], f"no waits of query alone: {stats['dwells']}")
    expect_likely(rows[0]["waits"] >= CLIENTS, f"only {rows[0]['waits']} waits")
    expect(f"site_fastapi.py:{rows[0]['line']})" in table.read_text(), "its line is not in the table")
    work.pyrometer("replay", recording, "-m", "cpu", "-o", cpu)
    lines = parse_collapsed(cpu)
    expect_likely(samples_of(lines) >= LEAST_SAMPLES, f"only {samples_of(lines)} samples on a CPU")
    expect_lead(lines, "crunch")
    expect_likely(below(lines, "page")["crunch"], "the handler is not in its stacks")
    # A request that has ended counts until it is looked at again, and its client's next one has begun.
    expect(rows[0]["most"] <= 2 * CLIENTS, f"{rows[0]['most']} requests of {CLIENTS} clients at once")


@case()
def django_under_gunicorn(work):
    server, answered, lines = profile_under_load(work, "django", "-s")
    workers = set(wait_until(lambda: children_of(server.pid), "workers"))
    expect_likely(len(workers) == servers.WORKERS, f"workers: {workers}")
    expect_lead([line for line in lines if line.pid in workers], "crunch")
    expect_likely(below(lines, "page")["crunch"], "the handler is not in its stacks")
    expect_all_at_work(lines, answered & workers, "crunch")
    expect_likely(workers <= {line.pid for line in lines}, "a worker has no samples")


if __name__ == "__main__":
    sys.exit(main())
