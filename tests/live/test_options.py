#!/usr/bin/env python3
"""The command line: every option does what docs say, and bad usage is refused before anything."""

import json
import os
import pty
import re
import select
import signal
import stat
import sys
import threading
import time

from harness import (
    BOUND, STATS_KEYS, case, expect, expect_devices_unharmed, expect_equal, expect_likely, expect_refusal,
    expect_status, functions_of, main, newest, newest_here, own_devices, parse_collapsed, samples_of,
    three)

VERBS = ("attach", "run", "top", "dump")


def puppet(work, interpreter):
    return work.target(interpreter, "puppet.py")


def stats_of(work, target, *options):
    """The stats of a short run with these options."""
    _, stats = work.profile("attach", target.pid, "-o", work.out / "p.collapsed", *options)
    return stats


# -- help and usage -----------------------------------------------------------------------------


@case()
def help_and_version(work):
    result = work.pyrometer("--help")
    expect_status(result, 0)
    for verb in VERBS:
        expect(verb in result.out.decode(), f"--help does not name {verb}")
    result = work.pyrometer("--version")
    expect_status(result, 0)
    expect(re.fullmatch(rb"pyrometer \d+\.\d+\S*\n", result.out), f"--version: {result.out!r}")


@case()
def help_of_each_verb(work):
    for verb in VERBS + ("record",):
        result = work.pyrometer(verb, "--help")
        expect_status(result, 0)
        expect(len(result.out.splitlines()) > 3, f"{verb} --help: {result.out!r}")
        expect_equal(result.err, "", f"standard error of {verb} --help")
    text = work.pyrometer("attach", "--help").out.decode()
    for option in ("--rate", "--interval", "--duration", "--thread", "--main-thread", "--output",
                   "--format", "--stats", "--quiet", "--mode"):
        expect(option in text, f"attach --help does not name {option}")


BAD_USAGE = [
    [], ["no-such-verb"], ["--no-such-option"], ["attach"], ["attach", "word"], ["attach", "-5"],
    ["attach", "0"], ["attach", "1", "2"], ["attach", "99999999999999999999"], ["attach", "1x"],
    ["attach", "1", "--no-such-option"], ["attach", "1", "-r"], ["attach", "1", "-r", "0"],
    ["attach", "1", "-r", "fast"], ["attach", "1", "-r", "-5"], ["attach", "1", "-r", "1e9khz"],
    ["attach", "1", "-r", "nan"], ["attach", "1", "-r", "inf"], ["attach", "1", "-r", "10 apples"],
    ["attach", "1", "-i", "0"], ["attach", "1", "-i", "-1ms"], ["attach", "1", "-i", "soon"],
    ["attach", "1", "-d", "0"], ["attach", "1", "-d", "-1"], ["attach", "1", "-d", "long"],
    ["attach", "1", "-d", "nan"], ["attach", "1", "-d", ""], ["attach", "1", "-m", "no-mode"],
    ["attach", "1", "-f", "no-format"], ["attach", "1", "-o", ""],
    ["attach", "1", "-o", "x.no-such-extension"], ["attach", "-p", "1", "2"], ["dump"],
    ["dump", "word"], ["attach", "1", "-o"],
]


@case()
def bad_usage(work):
    report = []
    for arguments in BAD_USAGE:
        result = work.pyrometer(*arguments, cwd=work.out)
        if result.status != 2 or not result.err.strip() or result.out:
            report.append(f"{arguments}: status {result.status}, {result.err!r}, {result.out!r}")
    expect(not report, *report)
    work.expect_outputs()


@case()
def message_of_bad_usage_names_the_word(work):
    for word, arguments in (
            ("fast", ["attach", "1", "-r", "fast"]), ("no-such-verb", ["no-such-verb"]),
            ("--no-such", ["attach", "1", "--no-such"]), ("no-format", ["attach", "1", "-f", "no-format"]),
            ("no-such-extension", ["attach", "1", "-o", "x.no-such-extension"])):
        expect_refusal(work.pyrometer(*arguments), 2, re.escape(word))


# -- time ---------------------------------------------------------------------------------------


@case(over=newest)
def rates(work, interpreter):
    target = puppet(work, interpreter)
    for option, text, hertz in (
            ("-r", "100", 100), ("-r", "50hz", 50), ("--rate", "0.2khz", 200), ("-r", "2kHz", 2000),
            ("-i", "10ms", 100), ("--interval", "5000us", 200), ("-i", "0.02s", 50),
            ("--rate", "1mhz", 1000000)):
        stats = stats_of(work, target, option, text, "-d", "0.3")
        expect_equal(stats["requested_hz"], hertz, f"requested_hz with {option} {text}")
    stats = stats_of(work, target, "-d", "0.3")
    expect_equal(stats["requested_hz"], 1000, "requested_hz by default")
    stats = stats_of(work, target, "--rate=100", "--duration=0.3")
    expect_equal(stats["requested_hz"], 100, "requested_hz with --rate=100")


@case(over=newest)
def durations(work, interpreter):
    target = puppet(work, interpreter)
    for option, text, seconds in (
            ("-d", "0.5", 0.5), ("-d", "1", 1), ("--duration", "0.7s", 0.7), ("-d", "400ms", 0.4),
            ("-d", ".3", 0.3), ("-d", "0.01m", 0.6)):
        found = stats_of(work, target, "-r", "200", option, text)["duration_s"]
        expect_likely(abs(found - seconds) <= 0.1, f"duration_s with {option} {text}: {found}")


@case(over=three)
def stats_are_consistent(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "threads", 20)
    path = work.out / "p.collapsed"
    _, stats = work.profile("attach", target.pid, "-r", "500", "-d", "1", "-o", path)
    expect(STATS_KEYS <= set(stats), f"keys missing: {STATS_KEYS - set(stats)}")
    expect_equal(stats["samples"], samples_of(parse_collapsed(path)), "samples")
    expect_equal(stats["samples"] + stats["lost"], stats["ticks"] * 21, "samples and lost")
    expect_equal(stats["threads"], 21, "threads")
    expect_equal(stats["pid"], target.pid, "pid")
    expect(interpreter.version.startswith(stats["version"]), f"version: {stats['version']!r}")
    expect(stats["requested_hz"] == 500, f"requested_hz: {stats['requested_hz']}")
    rate = stats["ticks"] / stats["duration_s"]
    expect(abs(stats["rate_hz"] - rate) < 0.05 * rate, f"rate_hz {stats['rate_hz']}, but {rate}")
    # Of every slot of the run, only the last one may be left out, or begun.
    slots = stats["duration_s"] * 500
    expect(abs(stats["ticks"] + stats["late"] - slots) <= 2, f"ticks and late, {slots} slots: {stats}")
    expect(0 <= stats["cpu_s"] < 5, f"cpu_s: {stats['cpu_s']}")
    expect(100000 < stats["rss_bytes"] < 200000000, f"rss_bytes: {stats['rss_bytes']}")


# -- which threads ------------------------------------------------------------------------------


def threads_seen(work, target, *options):
    path = work.out / "p.collapsed"
    result = work.pyrometer("attach", target.pid, "-r", "100", "-d", "0.3", "-o", path, *options)
    expect_status(result, 0)
    return sorted({line.thread for line in parse_collapsed(path)})


@case(over=three)
def choice_of_threads(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "threads", 5)
    names = {t["name"]: t["tid"] for t in target.facts["threads"]}
    one, two = "standing-1", "standing-3"
    everyone = sorted([*names, "MainThread"])
    for options, wanted in (
            ([], everyone), (["-a"], everyone), (["--all-threads"], everyone),
            (["-t", one], [one]), (["-t", str(names[one])], [one]), (["--thread", two], [two]),
            (["-t", one, "-t", str(names[two])], [one, two]), (["--main-thread"], ["MainThread"]),
            (["-t", str(target.pid)], ["MainThread"])):
        expect_equal(threads_seen(work, target, *options), wanted, f"threads with {options}")


@case(over=newest)
def thread_that_is_not_there(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "threads", 2)
    result = work.pyrometer(
        "attach", target.pid, "-d", "0.3", "-t", "nobody-by-that-name", "-o", work.out / "p.collapsed")
    expect_refusal(result, 6, "nobody-by-that-name|sample")


@case(over=newest)
def dump_of_chosen_threads(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "threads", 3)
    dump = json.loads(work.pyrometer("dump", "--json", "-t", "standing-2", target.pid).out)
    expect_equal([t["name"] for t in dump["threads"]], ["standing-2"], "threads in the dump")


# -- spellings ----------------------------------------------------------------------------------


@case(over=newest)
def other_spellings(work, interpreter):
    target = puppet(work, interpreter)
    path = work.out / "p.collapsed"
    pid = str(target.pid)
    for arguments in (
            ["record", "-p", pid], ["record", "--pid", pid], ["attach", "-p", pid],
            ["attach", "--pid", pid], ["attach", "--pid=" + pid], ["attach", "-p" + pid]):
        expect_status(work.pyrometer(*arguments, "-d", "0.2", "-o", path), 0)
        expect(samples_of(parse_collapsed(path)) > 0, f"no samples with {arguments}")
        path.unlink()
    # Options may stand behind the PID, too.
    expect_status(work.pyrometer("attach", "-d", "0.2", "-o", path, pid), 0)
    for arguments in (["dump", "-p", pid], ["dump", pid, "--json"], ["dump", "--json", "--pid", pid]):
        expect_status(work.pyrometer(*arguments), 0)


@case(over=newest)
def flags_of_tachyon(work, interpreter):
    target = puppet(work, interpreter)
    for flag, beginning in (("--collapsed", b"process "), ("--flamegraph", b"<!")):
        path = work.out / "out"
        result = work.pyrometer("attach", flag, "-d", "0.3", "-o", path, target.pid)
        expect_status(result, 0)
        found = path.read_bytes()[:40].lower()
        expect(found.startswith(beginning), f"with {flag}: {found!r}")


# -- outputs ------------------------------------------------------------------------------------


def kind_of(data):
    """Which format these bytes are."""
    if data.startswith(b"process "):
        return "collapsed"
    if data[:15].lower().startswith(b"<!doctype html"):
        return "flamegraph"
    if b"speedscope" in data[:2000]:
        return "speedscope"
    return "table"


@case(over=newest)
def several_outputs(work, interpreter):
    target = puppet(work, interpreter)
    names = {
        "a.collapsed": "collapsed", "b.folded": "collapsed", "c.html": "flamegraph",
        "d.speedscope.json": "speedscope", "e.txt": "table"}
    outputs = [word for name in names for word in ("-o", work.out / name)]
    expect_status(work.pyrometer("attach", target.pid, "-d", "0.5", *outputs), 0)
    work.expect_outputs(*names)
    found = {name: kind_of((work.out / name).read_bytes()) for name in names}
    expect_equal(found, names, "formats by extension")
    a, b = (samples_of(parse_collapsed(work.out / name)) for name in ("a.collapsed", "b.folded"))
    expect_equal(a, b, "samples in two outputs of one run")


@case(over=newest)
def format_overrides_extension(work, interpreter):
    target = puppet(work, interpreter)
    for word in ("-f", "--format"):
        path = work.out / "p.html"
        result = work.pyrometer("attach", target.pid, "-d", "0.3", word, "collapsed", "-o", path)
        expect_status(result, 0)
        expect_equal(kind_of(path.read_bytes()), "collapsed", f"format with {word}")


@case(over=newest)
def standard_output(work, interpreter):
    target = puppet(work, interpreter)
    result = work.pyrometer("attach", target.pid, "-d", "0.3", "-f", "collapsed", "-o", "-")
    expect_status(result, 0)
    expect(functions_of(parse_collapsed(result.out))["spin"] > 0, "no spin() on standard output")
    result = work.pyrometer("attach", target.pid, "-d", "0.3")
    expect_status(result, 0)
    expect("spin" in result.out.decode(), "no spin() in the table that is the default")
    result = work.pyrometer("attach", target.pid, "-d", "0.3", "-f", "collapsed")
    expect_status(result, 0)
    expect_equal(kind_of(result.out), "collapsed", "format on standard output with -f alone")


@case(over=newest)
def percent_in_paths(work, interpreter):
    target = puppet(work, interpreter)
    expect_status(work.pyrometer(
        "attach", target.pid, "-d", "0.2", "-o", work.out / "%p.collapsed",
        "-o", work.out / "at-%t.collapsed"), 0)
    found = sorted(os.listdir(work.out))
    expect(f"{target.pid}.collapsed" in found, f"%p: {found}")
    times = [name for name in found if re.fullmatch(r"at-[\dT:Z.+-]+\.collapsed", name)]
    expect(times and len(found) == 2, f"%t: {found}")


@case(over=newest)
def stats_to_standard_output(work, interpreter):
    target = puppet(work, interpreter)
    result = work.pyrometer(
        "attach", target.pid, "-d", "0.2", "-o", work.out / "p.collapsed", "--stats", "-")
    expect_status(result, 0)
    expect(STATS_KEYS <= set(json.loads(result.out)), f"stats: {result.out!r}")


@case(over=newest)
def umask_is_respected(work, interpreter):
    target = puppet(work, interpreter)
    for mask in (0o022, 0o077, 0o027):
        path = work.out / f"p{mask:o}.collapsed"
        result = work.pyrometer(
            "attach", target.pid, "-d", "0.2", "-o", path,
            prefix=["sh", "-c", f'umask {mask:o}; exec "$@"', "sh"])
        expect_status(result, 0)
        expect_equal(stat.S_IMODE(path.stat().st_mode), 0o666 & ~mask, f"mode with umask {mask:o}")


@case(over=newest)
def output_through_a_symlink(work, interpreter):
    """The file behind the link is written; the link stays."""
    target = puppet(work, interpreter)
    elsewhere = work.folder / "elsewhere"
    elsewhere.mkdir()
    link, real = work.out / "link.collapsed", elsewhere / "real"
    for existed in (False, True):
        if existed:
            real.write_text("old\n")
        else:
            link.symlink_to(real)
        expect_status(work.pyrometer("attach", target.pid, "-d", "0.2", "-o", link), 0)
        expect(link.is_symlink(), "the link was replaced")
        expect(samples_of(parse_collapsed(real)) > 0, "the file behind the link was not written")
        expect_equal(os.listdir(elsewhere), ["real"], "files beside the one behind the link")
        real.unlink()
    expect_equal(os.listdir(work.out), [link.name], "files beside the link")


@case(over=newest)
def output_to_devices(work, interpreter):
    target = puppet(work, interpreter)
    arguments = ["attach", target.pid, "-d", "0.2", "-f", "collapsed", "-o"]
    result = work.pyrometer(*arguments, "/dev/null", prefix=own_devices())
    expect_devices_unharmed(result)
    expect_status(result, 0)
    result = work.pyrometer(*arguments, "/dev/stdout", prefix=own_devices())
    expect_devices_unharmed(result)
    expect_status(result, 0)
    expect(samples_of(parse_collapsed(result.out)) > 0, "nothing came out of /dev/stdout")


@case(over=newest)
def output_through_a_pipe_by_name(work, interpreter):
    """`-o /dev/stdout | cat`"""
    target = puppet(work, interpreter)
    read, write = os.pipe()
    try:
        result = work.pyrometer(
            "attach", target.pid, "-d", "0.2", "-f", "collapsed", "-o", "/dev/stdout",
            prefix=own_devices(), stdout=write)
        expect_devices_unharmed(result)
        expect_status(result, 0)
        expect(samples_of(parse_collapsed(os.read(read, 60000))) > 0, "nothing came through the pipe")
    finally:
        os.close(read)
        os.close(write)


@case(over=newest)
def output_to_a_fifo(work, interpreter):
    target = puppet(work, interpreter)
    fifo = work.out / "fifo.collapsed"
    os.mkfifo(fifo)
    read = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    expect_status(work.pyrometer("attach", target.pid, "-d", "0.3", "-o", fifo), 0)
    reader.join(BOUND)
    expect(read and samples_of(parse_collapsed(read[0])) > 0, "nothing came out of the FIFO")
    expect(stat.S_ISFIFO(fifo.stat().st_mode), "the FIFO was replaced")
    expect_equal(os.listdir(work.out), [fifo.name], "files beside the FIFO")


@case(over=newest)
def mode_and_owner_of_a_file_that_was_there(work, interpreter):
    """A file is replaced as a whole: never is it empty or half, whenever one looks."""
    target = puppet(work, interpreter)
    path = work.out / "p.collapsed"
    path.write_text("process old (1);thread old (1);f (f.py:1) 1\n")
    profiler = work.profiler("attach", target.pid, "-r", "1khz", "-o", path)
    profiler.wait_until_it_samples()
    expect_equal(path.read_text()[:11], "process old", "the file during the run")
    profiler.signal(signal.SIGUSR1)
    profiler.signal(signal.SIGINT)
    while profiler.is_running():
        expect(samples_of(parse_collapsed(path)) > 0, "half a file was to be seen")
    expect_status(profiler.finish(), 0)
    expect(functions_of(parse_collapsed(path))["spin"] > 0, "no spin() in the profile")
    work.expect_outputs("p.collapsed")


# -- what it says -------------------------------------------------------------------------------


def is_quality_line(line):
    return all(re.search(word, line) for word in (r"\bsamples\b", r"\d", "lost", "late", r"%|CPU"))


@case(over=newest)
def last_line_is_quality(work, interpreter):
    target = puppet(work, interpreter)
    result, stats = work.profile("attach", target.pid, "-d", "0.5", "-o", work.out / "p.collapsed")
    lines = result.err.splitlines()
    expect_equal(len(lines), 1, "lines on standard error that is no terminal")
    expect(is_quality_line(lines[-1]), f"the last line is not about quality: {lines[-1]!r}")
    number = re.sub(r"(?<=\d)[,_ '](?=\d{3})", "", lines[-1])
    expect(re.search(rf"\b{stats['samples']}\b", number), "not the samples of the stats:", lines[-1])
    expect("\x1b" not in result.err and "\r" not in result.err, "control characters, no terminal")


@case(over=newest)
def quiet(work, interpreter):
    target = puppet(work, interpreter)
    for word in ("-q", "--quiet"):
        result = work.pyrometer("attach", word, target.pid, "-d", "0.3", "-o", work.out / "p.collapsed")
        expect_status(result, 0)
        expect_equal((result.out, result.err), (b"", ""), f"what is said with {word}")
    # Errors are said all the same.
    expect_refusal(work.pyrometer("attach", "-q", "99999999"), 3, "99999999")


def said_to_terminal(work, arguments, environment):
    """What pyrometer says on standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    try:
        profiler = work.profiler(*arguments, stderr=theirs, env=environment)
        os.close(theirs)
        theirs = -1
        return collect(ours, profiler)
    finally:
        for descriptor in (ours, theirs):
            if descriptor >= 0:
                os.close(descriptor)


def collect(terminal, profiler):
    """Reads a terminal until the process has ended and no more comes."""
    said = b""
    end = time.monotonic() + BOUND
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                got = os.read(terminal, 65536)
            except OSError:  # EIO: the other end is closed
                break
            if not got:
                break
            said += got
    expect_status(profiler.finish(), 0)
    return said.decode()


@case(over=newest)
def progress_on_a_terminal(work, interpreter):
    target = puppet(work, interpreter)
    arguments = ["attach", target.pid, "-d", "1.5", "-o", work.out / "p.collapsed"]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
    said = said_to_terminal(work, arguments, environment)
    lines = [line for line in re.split(r"[\r\n]+", said) if line.strip()]
    expect_likely(len(lines) > 1, f"no progress on a terminal: {said!r}")
    expect(is_quality_line(lines[-1]), f"the last line is not about quality: {lines[-1]!r}")
    expect(said.endswith("\n"), "the terminal is left in the middle of a line")

    said = said_to_terminal(work, arguments, dict(environment, NO_COLOR="1"))
    expect(not re.search(r"\x1b\[[\d;]*m", said), f"colours with NO_COLOR: {said!r}")
    said = said_to_terminal(work, [*arguments, "-q"], environment)
    expect_equal(said, "", "what is said on a terminal with -q")


@case(over=newest_here)
def closed_standard_streams(work, interpreter):
    """Started without descriptors 0 to 2, it must not write messages into an output."""
    target = puppet(work, interpreter)
    path = work.out / "p.collapsed"
    result = work.pyrometer(
        "attach", target.pid, "-d", "0.3", "-o", path,
        prefix=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    expect_status(result, 0)
    expect(functions_of(parse_collapsed(path))["spin"] > 0, "no spin() in the profile")


if __name__ == "__main__":
    sys.exit(main())
