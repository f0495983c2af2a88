"""One profiler, one target, one run: what came of it and what it cost."""

import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import distance
import targets
from profilers import ENDING_SECONDS, Absent

# What the window of a run leaves out at its end.
MARGIN_SECONDS = 0.1
POLL_SECONDS = 0.1
ANSI = re.compile(r"\033\[[\d;]*[A-Za-z]")


@dataclass
class Outcome:
    """Numbers by the name of their metric; a pair is (count, of how many)."""

    values: dict = field(default_factory=dict)
    problem: str = ""  # why there are none


@dataclass(frozen=True)
class Reading:
    """The state of the target's work and of a profiler's costs at an instant."""

    time: float
    rounds: int
    waited_ns: int  # the target, for a core
    cpu_ns: int  # of the profiler


def cpu_ns(pid):
    """CPU time of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def memory_bytes(pid, what):
    """VmRSS, resident now, or VmHWM, the most so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    raise Absent("ended while it was to sample")


def reading(running, pid=None):
    waited_ns = targets.waited_ns(running.target.pid)
    try:
        return Reading(time.monotonic(), running.board.read()[0], waited_ns, cpu_ns(pid) if pid else 0)
    except OSError:
        raise Absent("ended while it was to sample") from None


def rounds_a_second(before, after):
    return (after.rounds - before.rounds) / (after.time - before.time)


def undisturbed(running, seconds):
    """Rounds a second of the target when nobody looks."""
    before = reading(running)
    time.sleep(seconds)
    return rounds_a_second(before, reading(running))


def gist(text):
    """The first line that has words, of what a program said."""
    lines = text.strip().splitlines() or ["said nothing"]
    return next((line for line in lines if len(re.findall(r"\b[A-Za-z]{2,}\b", line)) > 2), lines[-1])[:120]


class Run:
    """A profiler at work on a target."""

    def __init__(self, work, site, profiler, words, rate, seconds):
        self._site, self._profiler, self._seconds = site, profiler, seconds
        self._name = f"{profiler.name.replace(' ', '').replace(',', '-')}.out"
        self._said = work.folder / "said"
        for file in site.ours.glob(self._name + "*"):
            file.unlink()
        command = profiler.command(site, words, rate, seconds, self._name)
        self.start = time.monotonic()
        with open(self._said, "wb") as out:
            self._process = work.start(
                [*targets.pinned(targets.cores()[1]), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.pid = self._process.pid

    def is_running(self):
        return self._process.is_running()

    def sleep_until(self, seconds):
        """Since its start."""
        time.sleep(max(0.0, self.start + seconds - time.monotonic()))

    def window(self):
        """Two readings while it samples, and the memory it has then."""
        settle = min(self._profiler.settle_seconds, self._seconds / 2)
        self.sleep_until(settle)
        before = reading(self._site.running, self.pid)
        self.sleep_until(max(self._seconds - MARGIN_SECONDS, settle + MARGIN_SECONDS))
        after = reading(self._site.running, self.pid)
        return before, after, memory_bytes(self.pid, "VmHWM")

    def finish(self):
        """The Profile."""
        if self._profiler.is_interrupted:
            self.sleep_until(self._seconds)
            self._process.signal(signal.SIGINT)
        try:
            self._process.popen.wait(self._seconds + ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.end_now()
            raise Absent("hangs") from None
        text = ANSI.sub("", self._said.read_text(errors="replace"))
        if self._process.popen.returncode not in self._profiler.good_exits:
            raise Absent(f"failed with {self._process.popen.returncode}: {gist(text)}")
        try:
            return self._profiler.read(self._site, self._name, text, self._seconds)
        except (OSError, ValueError) as error:
            raise Absent(f"wrote what cannot be read: {error}") from None


def costs(before, after, peak):
    passed = after.time - before.time
    cpu = (after.cpu_ns - before.cpu_ns) / 1e9 / passed
    waited = (after.waited_ns - before.waited_ns) / 1e9 / passed
    return {"cpu": cpu, "waited": waited, "rss": peak, "rounds": rounds_a_second(before, after)}


def qualities(profile, running, reference):
    """What the stacks of a profile are worth; `reference` is the stopped one's Verdict, or None."""
    samples = sum(count for _, count in profile.stacks)
    values = {"rate": samples / profile.seconds, "lost": profile.lost, "unverified": profile.unverified}
    if running.judge is None:
        return values
    verdict = running.judge.judge(profile.stacks)
    for name, count in (("impossible", verdict.impossible), ("function", verdict.wrong_function),
                        ("line", verdict.wrong_line)):
        values[name] = (count, verdict.samples)
    for what in ("levels", "leaves") if reference else ():
        one, other = getattr(verdict, what), getattr(reference, what)
        values[what] = distance.total_variation(one, other)
        values[what + "_chance"] = distance.expected_by_chance(one, other)
    return values


def errors_of_shares(profile, before, after):
    """How far what the profile says of the program's halves is from what the program says."""
    truth = targets.share_of_calls(before, after)
    values = {}
    for name, stacks in (("points", profile.stacks), ("points_by_time", profile.times)):
        found, total = targets.share_of_samples(stacks or [])
        values[name] = abs(found - truth) if total else None
    return values


def run_once(work, site, profiler, words, rate, seconds, reference):
    """An Outcome; its `rounds` are those that the target did each second."""
    running = site.running
    try:
        board_before = running.board.read()
        run = Run(work, site, profiler, words, rate, seconds)
        values = costs(*run.window())
        profile = run.finish()
        values.update(qualities(profile, running, reference))
        if running.judge is None:
            values.update(errors_of_shares(profile, board_before, running.board.read()))
        return Outcome(values)
    except Absent as absent:
        return Outcome(problem=str(absent))


def watch_memory(run):
    """What was resident at last, in bytes, and the most there was."""
    late = most = 0
    while run.is_running():
        try:
            late, most = memory_bytes(run.pid, "VmRSS"), memory_bytes(run.pid, "VmHWM")
        except (OSError, Absent):
            break
        time.sleep(POLL_SECONDS)
    return late, most


def run_long(work, site, profiler, words, rate, seconds):
    """An Outcome about memory; `rss_early` is that when a tenth of the time is over."""
    try:
        run = Run(work, site, profiler, words, rate, seconds)
        run.sleep_until(profiler.settle_seconds + seconds / 10)
        early = memory_bytes(run.pid, "VmRSS")
        late, most = watch_memory(run)
        profile = run.finish()
    except (OSError, Absent) as problem:
        return Outcome(problem=str(problem))
    looks = sum(count for _, count in profile.stacks) + profile.lost[0]
    return Outcome({"ticks": looks, "rss_early": early, "rss_late": late, "rss": most})
