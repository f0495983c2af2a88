#!/usr/bin/env python3
"""--blocking: stacks are exact, and whatever becomes of the profiler, the target runs on."""

import ctypes
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import (
    BOUND, PYROMETER, case, expect, expect_equal, expect_refusal, expect_status, functions_of, main,
    newest_here, parse_collapsed, three, wait_until)
from harness import interpreters

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "truth"))
import targets  # noqa: E402
from judge import describe  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
PTRACE_SEIZE = 0x4206
KILLS, KILLING_SECONDS = 1000, 60
LONGEST_LIFE_SECONDS = 0.005
# Of the targets whose profilers are killed.
THREADS = (1, 8, 1, 8)


class Beating:
    """beats.py, and how often its threads have beaten."""

    def __init__(self, work, interpreter, threads):
        work.programs(interpreter.root)  # makes the folder
        ours, theirs = work.within(interpreter)
        self.threads = threads
        self.board = Path(tempfile.mkstemp(prefix="beats-", dir=ours)[1])
        self.board.write_bytes(bytes(8 * threads))
        self.target = work.target(interpreter, "beats.py", threads, theirs / self.board.name)
        self.pid = self.target.pid

    def beats(self):
        return struct.unpack(f"={self.threads}Q", self.board.read_bytes())

    def expect_to_run(self, when, enough=all):
        """Every thread beats from now on, or any of them."""
        before = self.beats()
        end = time.monotonic() + BOUND
        while not enough(a > b for a, b in zip(self.beats(), before)):
            expect(time.monotonic() < end, f"the target does not run {when}")


def status_of(pid, tid):
    """(state letter, PID of its tracer)"""
    text = Path(f"/proc/{pid}/task/{tid}/status").read_text()
    return re.search(r"^State:\s*(\w)", text, re.MULTILINE)[1], int(re.search(r"^TracerPid:\s*(\d+)", text, re.MULTILINE)[1])


def tracer_of(pid):
    return status_of(pid, pid)[1]


def expect_free(pid, when):
    """No thread is traced, or stopped."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        state, tracer = status_of(pid, tid)
        expect(tracer == 0 and state not in "tT", f"thread {tid} is in state {state}, traced by {tracer} {when}")


def expect_pauses(stats):
    pauses = stats["pauses"]
    expect_equal(sum(bucket["count"] for bucket in pauses["buckets"]), pauses["count"], "pauses in the buckets")
    expect(0 < pauses["median_s"] <= pauses["p99_s"] <= pauses["max_s"], f"figures of pauses: {pauses}")
    expect(pauses["max_s"] <= pauses["total_s"] < stats["duration_s"] + 1, f"sum of pauses: {pauses}")


# -- what is seen -------------------------------------------------------------------------------


@case(over=three)
def every_stack_is_exact(work, interpreter):
    enter = interpreters.enter_command(interpreter.root)
    for form in ("plain", "deep"):
        running = targets.start_tree(work, interpreter, enter, form, "--depth", "6")
        path = work.out / f"{form}.collapsed"
        result, stats = work.profile(
            "attach", "--blocking", "--no-gc", "-r", "1khz", "-d", "1.5", "-o", path, running.target.pid)
        verdict = running.judge.judge([(line.frames, line.count) for line in parse_collapsed(path)])
        expect(verdict.samples == stats["samples"] > 0, f"samples: {stats}")
        expect(not verdict.impossible, f"{form}: {verdict}"[:400], *map(describe, verdict.examples))
        expect_equal((verdict.unverified, stats["unverified"]), (0, 0), f"{form}: unverified samples")
        expect_pauses(stats)
        expect("stopped it for" in result.err, "the closing line says nothing of pauses:", result.err)
        expect_free(running.target.pid, "at the end")
        running.target.end_now()


@case(over=three)
def dump_and_run(work, interpreter):
    beating = Beating(work, interpreter, 8)
    for _ in range(5):
        result = work.pyrometer("dump", "--blocking", "--json", beating.pid)
        expect_status(result, 0)
        threads = json.loads(result.out)["threads"]
        expect_equal(len(threads), 8, "threads in the dump")
        expect(all(thread["verified"] and thread["complete"] for thread in threads), "not exact:", result.out.decode())
    expect_free(beating.pid, "after dump")
    path = work.out / "p.collapsed"
    code = "import time\nuntil = time.time() + 3\nwhile time.time() < until: pass\nraise SystemExit(3)"
    command = work.command(interpreter, "-c", code)
    expect_status(work.pyrometer("run", "--blocking", "-o", path, "--", *command), 3)
    expect(functions_of(parse_collapsed(path))["<module>"] > 0, "no <module> in the profile")


@case(over=newest_here)
def a_thousand_threads(work, interpreter):
    code = "import threading, time\n" \
        "for _ in range(999): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n" \
        "print('READY {}', flush=True)\ntime.sleep(1000)"
    target = work.target(interpreter, "-c", code)
    profiler = work.profiler("attach", "--blocking", "-r", "5", "-o", work.out / "p.collapsed", target.pid)
    wait_until(lambda: not profiler.is_running() or tracer_of(target.pid) != 0, "pyrometer to seize it")
    time.sleep(1)
    profiler.signal(signal.SIGINT)
    result = profiler.finish()
    expect(result.status in (0, 6), f"status {result.status}", result.err)  # 6: a thousand take too long here
    expect_free(target.pid, "at the end")


# -- the target does what it did ----------------------------------------------------------------


@case(over=three)
def waiting_is_not_cut_short(work, interpreter):
    target = work.target(interpreter, "patient.py")
    work.profile("attach", "--blocking", "-r", "300", "-d", "3", "-o", work.out / "p.collapsed", target.pid)
    facts = target.ask("WAITED")
    expect(not facts["wrong"], f"{len(facts['wrong'])} things went wrong:", *facts["wrong"][:10], str(facts["rounds"]))
    expect_equal(len(facts["rounds"]), 12, "ways of waiting that were tried")
    expect_equal(target.wait(), 0, "exit status of the target")


@case(over=three)
def threads_come_and_go(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", "--blocking", "-r", "1khz", "-o", path, target.pid)
    profiler.wait_until_it_samples()
    target.order("churn", 2)
    target.hear("CHURNED")
    target.hear("DONE")
    target.order("fork", 0.1)
    expect_equal(tracer_of(target.hear("CHILD")["pid"]), 0, "tracer of a child process")
    target.hear("DONE")
    target.order("exec", ["/bin/sleep", "1"])
    expect_status(profiler.finish(), 0)
    expect(functions_of(parse_collapsed(path))["churn"] > 0, "no churn() in the profile")
    expect_equal(target.wait(), 0, "exit status of the target")


@case(over=newest_here)
def becomes_another_python(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    profiler = work.profiler("attach", "--blocking", "-r", "1khz", "-o", work.out / "p.collapsed", target.pid)
    profiler.wait_until_it_samples()
    target.order("exec", [interpreter.python, str(work.programs(None) / "puppet.py")])
    target.hear("READY")
    time.sleep(0.3)
    tracer = tracer_of(target.pid)
    target.order("exit", 7)
    expect_status(profiler.finish(), 0)
    expect(tracer != 0, "it is not traced any more")
    expect_equal(target.wait(), 7, "exit status of the target")


def news_of(pid):
    """What its parent hears of a child: CLD_STOPPED, CLD_CONTINUED, or nothing."""
    news = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
    return news and news.si_code


@case(over=newest_here)
def stopped_by_its_user(work, interpreter):
    """Ctrl-Z and fg work, and are all that its parent hears of."""
    beating = Beating(work, interpreter, 8)
    options = ("attach", "--blocking", "-r", "500", "-o", work.out / "p.collapsed", beating.pid)
    profiler = work.profiler(*options)
    profiler.wait_until_it_samples()
    expect_equal(news_of(beating.pid), None, "what the parent hears of being profiled")
    beating.target.signal(signal.SIGSTOP)
    wait_until(lambda: news_of(beating.pid) == os.CLD_STOPPED, "the target to stop")
    stopped = beating.beats()
    time.sleep(0.3)
    profiler.signal(signal.SIGINT)
    expect_status(profiler.finish(), 0)
    expect_status(work.pyrometer("dump", "--blocking", beating.pid), 0)
    expect_equal(beating.beats(), stopped, "beats while it is stopped")
    expect_equal(status_of(beating.pid, beating.pid), ("T", 0), "state, tracer")
    profiler = work.profiler(*options)
    profiler.wait_until_it_samples()
    expect_equal(beating.beats(), stopped, "beats while it is stopped")
    beating.target.signal(signal.SIGCONT)
    beating.expect_to_run("after SIGCONT")
    expect_equal(news_of(beating.pid), os.CLD_CONTINUED, "what the parent hears of SIGCONT")
    profiler.signal(signal.SIGINT)
    expect_status(profiler.finish(), 0)


@case(over=newest_here)
def traced_already(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    code = f"import ctypes, time; print('READY {{}}' if ctypes.CDLL(None).ptrace({PTRACE_SEIZE}, {target.pid}, " \
        "None, None) == 0 else 'failed', flush=True); time.sleep(1000)"
    tracer = work.target_of([sys.executable, "-c", code])
    for verb in ("attach", "dump"):
        expect_refusal(work.pyrometer(verb, "--blocking", target.pid), 4, "trace", f"process {tracer.pid}\\b")
    expect_status(work.pyrometer("dump", target.pid), 0)
    expect_equal(tracer_of(target.pid), tracer.pid, "its tracer")


# -- whatever becomes of us ---------------------------------------------------------------------


def reap_orphans():
    """What our children leave behind is ours to wait for: whether a helper has ended is then known."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_soon(beating, chance):
    """A profiler that lives for a moment from when it has seized the target."""
    profiler = subprocess.Popen(
        [PYROMETER, "attach", "--blocking", "-q", "-r", "10khz", str(beating.pid)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while (helper := tracer_of(beating.pid)) == 0:
            expect(profiler.poll() is None, f"pyrometer ended with {profiler.returncode}")
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
    finally:
        profiler.kill()
        profiler.wait()
    wait_until(lambda: os.waitpid(helper, os.WNOHANG)[0], "the helper to end with pyrometer")


def kill_many(beating, kills, until):
    """Returns how many there was time for: a tenth at least."""
    chance = random.Random(beating.pid)
    for kill in range(kills):
        if time.monotonic() > until and kill >= kills / 10:
            return kill
        kill_soon(beating, chance)
        expect_free(beating.pid, f"after kill {kill}")
        beating.expect_to_run(f"after kill {kill}", any)
    return kills


@case(over=newest_here)
def a_thousand_kills(work, interpreter):
    reap_orphans()
    beating = [Beating(work, interpreter, threads) for threads in THREADS]
    until = time.monotonic() + KILLING_SECONDS
    with ThreadPoolExecutor(len(beating)) as pool:
        jobs = [pool.submit(kill_many, each, KILLS // len(beating), until) for each in beating]
    print(f"# {sum(job.result() for job in jobs)} kills")
    for each in beating:
        each.expect_to_run("after all kills")


@case(over=newest_here)
def profiler_is_stopped(work, interpreter):
    beating = Beating(work, interpreter, 8)
    profiler = work.profiler("attach", "--blocking", "-r", "1mhz", "-o", work.out / "p.collapsed", beating.pid)
    profiler.wait_until_it_samples()
    chance = random.Random(2)
    for turn in range(20):
        time.sleep(chance.uniform(0, 0.01))
        profiler.signal(signal.SIGSTOP)
        wait_until(lambda: status_of(profiler.pid, profiler.pid)[0] == "T", "pyrometer to stop")
        beating.expect_to_run(f"while pyrometer is stopped, turn {turn}")
        profiler.signal(signal.SIGCONT)
    profiler.signal(signal.SIGINT)
    expect_status(profiler.finish(), 0)
    expect_free(beating.pid, "at the end")


@case(over=newest_here)
def helper_is_killed(work, interpreter):
    """The profile goes on with another helper."""
    reap_orphans()
    beating = Beating(work, interpreter, 8)
    profiler = work.profiler("attach", "--blocking", "-r", "1khz", "-o", work.out / "p.collapsed", beating.pid)
    profiler.wait_until_it_samples()
    for turn in range(5):
        helper = wait_until(lambda: tracer_of(beating.pid), "the target to be traced")
        os.kill(helper, signal.SIGKILL)
        beating.expect_to_run(f"when its tracer was killed, turn {turn}")
        wait_until(lambda: tracer_of(beating.pid) not in (0, helper), "another helper")
    profiler.signal(signal.SIGINT)
    expect_status(profiler.finish(), 0)
    expect_free(beating.pid, "at the end")


if __name__ == "__main__":
    sys.exit(main())
