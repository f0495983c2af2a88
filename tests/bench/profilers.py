"""The profilers that are compared, one row each: how it is found, started and read.

A profiler is started in the same root as its target, where it needs that: it must see the files
that the target sees. What it found out is a Profile, which is the same for all.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import harness
import peers
from judge import Frame

# Longer than any run may take to write what it found.
ENDING_SECONDS = 120


class Absent(Exception):
    """Why a profiler cannot look at a target."""


@dataclass(frozen=True)
class Site:
    """Where a profiler meets its target."""

    running: object  # a Running of tests/truth/targets.py
    prefix: list  # of commands that are to run in the target's root
    ours: object  # a folder that both see, as we call it
    theirs: object  # as it is called in the target's root

    @property
    def pid(self):
        return self.running.target.pid


@dataclass
class Profile:
    """What a profiler found out in one run."""

    stacks: list  # [(frames root first, count)]
    seconds: float  # of sampling
    lost: tuple  # (samples that it says it lost, of how many)
    unverified: tuple  # (samples that it says may never have been, of how many); None: it never says
    times: list = None  # as `stacks`, with nanoseconds for counts; None: it has none


@dataclass(frozen=True)
class Profiler:
    name: str
    find: Callable  # site -> (version, the words that start it); raises Absent
    command: Callable  # (site, words, rate in Hz, seconds, name of its output) -> command
    read: Callable  # (site, name of its output, what it said, seconds) -> Profile
    settle_seconds: float  # from its start until it certainly samples
    is_interrupted: bool = False  # is it to be ended by SIGINT? Else it ends by itself.
    good_exits: tuple = (0,)
    scenarios: tuple = ()  # names of those that it takes part in; empty: all


def said(command, **options):
    """What a command prints, or None if it cannot be run."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=True, **options)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def number(pattern, text, what):
    match = re.search(pattern, text)
    if not match:
        raise Absent(f"said nothing of {what}: {text.strip().splitlines()[-1:]}")
    return float(match[1])


def stacks_of_lines(path, frame_of, heads):
    """Collapsed stacks; the first `heads` parts of each line are not frames."""
    stacks = []
    for text in path.read_text(errors="replace").splitlines():
        stack, _, count = text.rpartition(" ")
        if stack and not text.startswith("#") and count.lstrip("-").isdigit():
            stacks.append((tuple(map(frame_of, stack.split(";")[heads:])), int(count)))
    return stacks


# -- Pyrometer --------------------------------------------------------------------------------------

STACKS, TIMES = ".collapsed", ".speedscope.json"


def find_pyrometer(site):
    version = said([harness.PYROMETER, "--version"])
    if version is None:
        raise Absent(f"{harness.PYROMETER} does not start")
    return version.split()[-1], [harness.PYROMETER]


def command_pyrometer(site, words, rate, seconds, name):
    path = site.ours / name
    # Times only where shares of time are asked for: they are as long as the run.
    times = ["-o", f"{path}{TIMES}"] if site.running.judge is None else []
    return [*words, "attach", str(site.pid), "-r", str(rate), "-d", str(seconds), "-q",
            "-o", f"{path}{STACKS}", "--stats", f"{path}.json", *times]


def times_of(path):
    """Stacks with their times, from a file in the format of speedscope."""
    if not path.exists():
        return None
    file = json.loads(path.read_text())
    frames = [Frame(f["name"], f.get("file", ""), f.get("line", 0)) for f in file["shared"]["frames"]]
    return [
        (tuple(frames[number_of] for number_of in stack), weight)
        for profile in file["profiles"] for stack, weight in zip(profile["samples"], profile["weights"])]


def read_pyrometer(site, name, text, seconds):
    path = site.ours / name
    stats = json.loads(Path(f"{path}.json").read_text())
    return Profile(
        [(line.frames, line.count) for line in harness.parse_collapsed(f"{path}{STACKS}")],
        stats["duration_s"],
        (stats["lost"], stats["lost"] + stats["samples"]),
        (stats["unverified"], stats["samples"]),
        times_of(Path(f"{path}{TIMES}")),
    )


# -- Tachyon, the profiler in Python 3.15 -----------------------------------------------------------


def find_tachyon(site):
    words = [*site.prefix, site.running.interpreter.python]
    if said([*words, "-c", "import profiling.sampling"]) is None:
        raise Absent("is for the Python that it is a part of, and this one has none")
    return site.running.interpreter.version, [*words, "-m", "profiling.sampling"]


def command_tachyon(site, words, rate, seconds, name):
    # Whole seconds are all it takes.
    return [*words, "attach", "--all-threads", "--collapsed", "-r", str(rate), "-d", str(round(seconds) or 1),
            "-o", str(site.theirs / name), str(site.pid)]


def frame_with_colons(text):
    """FILE:FUNCTION:LINE, or a name alone for what is no function."""
    place, _, line = text.rpartition(":")
    file, _, function = place.partition(":")
    return Frame(function, file, int(line)) if function and line.isdigit() else Frame(text, "", 0)


def read_tachyon(site, name, text, seconds):
    samples = int(number(r"Captured (\d+) sample", text, "samples"))
    percent = number(r"Error rate: ([\d.]+)", text, "errors")
    path = site.ours / name
    return Profile(
        stacks_of_lines(path, frame_with_colons, 1) if path.exists() else [],
        number(r"in ([\d.]+) seconds", text, "seconds"),
        (round(samples * percent / 100), samples),
        None,
    )


# -- py-spy -----------------------------------------------------------------------------------------


def find_pyspy(site):
    for path in peers.executables("py-spy"):
        version = said([path, "--version"])
        if version:
            return version.split()[-1], [str(path)]
    raise Absent("not installed: make bench-peers")


def command_pyspy(*options):
    def command(site, words, rate, seconds, name):
        # Given a duration it takes duration times rate samples, however long that takes.
        return [*words, "record", "--pid", str(site.pid), "--rate", str(rate), "--idle", "--format", "raw",
                "--full-filenames", "--output", str(site.ours / name), *options]

    return command


def frame_with_brackets(text):
    match = re.match(r"(.*?) \((.*):(\d+)\)\Z", text)
    return Frame(match[1], match[2], int(match[3])) if match else Frame(text, "", 0)


def read_pyspy(site, name, text, seconds):
    samples, errors = number(r"Samples: (\d+)", text, "samples"), number(r"Errors: (\d+)", text, "errors")
    stacks = stacks_of_lines(site.ours / name, frame_with_brackets, 0)
    return Profile(stacks, seconds, (errors, samples + errors), None)


# -- Austin -----------------------------------------------------------------------------------------


def find_austin(site):
    for number_of, path in enumerate(peers.executables("austin")):
        # In a root it must be where the root can see it.
        copy = site.ours / f"austin-{number_of}"
        if not copy.exists():
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o755)
        words = [*site.prefix, str(site.theirs / copy.name)]
        version = said([*words, "--version"])
        if version:
            return version.split()[-1], words
    raise Absent("not installed, or starts with no C library here: make bench-peers")


def command_austin(site, words, rate, seconds, name):
    interval = max(1, round(1e6 / rate))
    return [*words, "-i", f"{interval}us", "-x", str(round(seconds) or 1), "-o", str(site.theirs / name),
            "-p", str(site.pid)]


def read_austin(site, name, text, seconds):
    path = site.ours / name
    if not path.exists() or path.stat().st_size < 100:
        raise Absent(" ".join(re.findall(r"[A-Z][^.]*\.", text)[:1]) or "wrote nothing")
    if path.read_bytes()[:3] == b"MOJ":
        path = austin_text(site, path)
    # Each line is a sample; the number at its end is a time.
    stacks = [(frames, 1) for frames, _ in stacks_of_lines(path, frame_with_colons, 2)]
    whole = [stack for stack in stacks if stack[0]]
    errors = int(number(r"Error rate\D*(\d+)/\d+", text, "errors"))
    duration = re.search(r"# duration: (\d+)", path.read_text(errors="replace"))
    lost = errors + len(stacks) - len(whole)
    return Profile(whole, int(duration[1]) / 1e6 if duration else seconds, (lost, len(whole) + lost), None)


def austin_text(site, path):
    for tool in peers.executables("mojo2austin"):
        text = path.with_suffix(".austin")
        said([tool, path, text], env=peers.environment_of(tool))
        if text.exists():
            return text
    raise Absent("its output needs mojo2austin: make bench-peers")


# -- the floor: somebody who only sleeps ------------------------------------------------------------

SLEEPER = Path(__file__).resolve().parent / "sleeper.c"


def find_sleeper(site):
    program = site.ours / "sleeper"
    if not program.exists() and said([os.environ.get("CC", "cc"), "-O2", SLEEPER, "-o", program]) is None:
        raise Absent(f"{SLEEPER.name} cannot be compiled")
    return "", [program]


def command_sleeper(site, words, rate, seconds, name):
    return [*words, str(rate), str(seconds)]


def read_sleeper(site, name, text, seconds):
    return Profile([], seconds, (0, 0), None)


# The first is the one that the others are compared with.
PROFILERS = (
    Profiler("Pyrometer", find_pyrometer, command_pyrometer, read_pyrometer, 0.3),
    Profiler("Tachyon", find_tachyon, command_tachyon, read_tachyon, 0.8),
    Profiler("py-spy", find_pyspy, command_pyspy("--nonblocking"), read_pyspy, 0.3, True),
    Profiler("py-spy, stopping", find_pyspy, command_pyspy(), read_pyspy, 0.3, True),
    Profiler("Austin", find_austin, command_austin, read_austin, 0.3, good_exits=(0, 254)),
    Profiler("a sleeper, who does not look", find_sleeper, command_sleeper, read_sleeper, 0.3, scenarios=("cost",)),
)
