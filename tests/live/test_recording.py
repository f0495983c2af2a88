#!/usr/bin/env python3
"""Recordings: what replay shows is what attach showed; whole or cut, here or elsewhere."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness import (
    PYROMETER, TARGET_ENVIRONMENT, case, expect, expect_equal, expect_refusal, expect_status, functions_of,
    main, need_root, newest_here, parse_collapsed, private_mounts, samples_of, three, wait_until)

# One extension of each format that needs nothing but a trace.
FORMATS = (".txt", ".collapsed", ".html", ".heatmap.html", ".svg", ".speedscope.json", ".pb.gz",
           ".jsonl", ".pstats", ".firefox.json.gz", ".trace.json")
NOT_A_RECORDING = 9
NOISE_BYTES = 100000


def busy(work, interpreter):
    return work.target(interpreter, "phases.py", "0.05")


def outputs(work, folder):
    folder.mkdir()
    return [word for extension in FORMATS for word in ("-o", folder / ("p" + extension))]


def content(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def replayed(work, recording, *options, **more):
    """The lines of a recording as collapsed stacks, and what was said."""
    result = work.pyrometer("replay", "-f", "collapsed", "-o", "-", *options, recording, **more)
    expect_status(result, 0)
    return parse_collapsed(result.out), result.err


@case(over=three)
def replay_is_what_attach_showed(work, interpreter):
    """Every format, byte for byte, and the stats but for what the run itself cost at its end."""
    target = busy(work, interpreter)
    live, again = work.folder / "live", work.folder / "again"
    recording = work.out / "p.pyro"
    work.profile("attach", target.pid, "-r", "500", "-d", "1.5", "-o", recording, *outputs(work, live))
    shutil.copy(work.folder / "stats.json", work.folder / "live.json")
    target.end_now()  # nothing of it is needed any more
    work.profile("replay", recording, *outputs(work, again))
    different = [p.name for p in sorted(live.iterdir()) if content(p) != content(again / p.name)]
    expect_equal(different, [], "formats that differ")
    stats = [json.loads((work.folder / name).read_text()) for name in ("live.json", "stats.json")]
    expect_equal(stats[1], stats[0], "stats")
    expect(stats[0]["samples"] > 0, "no samples")


@case(over=newest_here)
def killed_while_it_records(work, interpreter):
    """kill -9 loses at most a second: what was sampled before is there, with its counts."""
    target = busy(work, interpreter)
    recording = work.out / "p.pyro"
    profiler = work.profiler("attach", target.pid, "-r", "200", "-o", recording)
    begin = time.monotonic()
    grown = wait_until(lambda: recording.exists() and ends_at(work, recording) > 1.5, "1.5 s of recording")
    expect(grown, "it does not grow")
    began_ago = time.monotonic() - begin
    profiler.signal(signal.SIGKILL)
    profiler.popen.wait()
    lines, said = replayed(work, recording)
    expect("no end" in said or "middle of a chunk" in said, f"not said that it is cut: {said!r}")
    stats = stats_of(work, recording)
    expect_equal(samples_of(lines), stats["samples"], "samples")
    expect(1.5 < stats["duration_s"] <= began_ago, f"lasted {stats['duration_s']} of {began_ago} s")
    expect(stats["cpu_s"] > 0 and stats["rss_bytes"] > 0, f"what it cost is not there: {stats}")


def stats_of(work, recording):
    stats = work.folder / "replayed.json"
    result = work.pyrometer("replay", "-o", os.devnull, "-f", "table", "--stats", stats, recording)
    expect_status(result, 0)
    return json.loads(stats.read_text())


def ends_at(work, recording):
    """Up to when a growing recording goes; 0 before its first chunk."""
    result = work.pyrometer("replay", "-o", os.devnull, "-f", "table", "--stats", work.folder / "e", recording)
    expect(result.status in (0, NOT_A_RECORDING), f"status {result.status}: {result.err}")
    return json.loads((work.folder / "e").read_text())["duration_s"] if result.status == 0 else 0


@case(over=newest_here)
def through_pipes(work, interpreter):
    """attach writes to standard output, replay reads from standard input."""
    target = busy(work, interpreter)
    command = f"{PYROMETER} attach -q -d 1 -r 200 --binary -o - {target.pid} | " \
        f"{PYROMETER} replay -f collapsed -o - -"
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    expect_equal(done.returncode, 0, f"status, {done.stderr!r}")
    expect(samples_of(parse_collapsed(done.stdout)) > 0, "no samples")


@case(over=newest_here)
def parts_add_up(work, interpreter):
    """A range and the rest, one thread and the others, what matches and what does not: together all."""
    target = work.target(interpreter, "stacks.py")
    recording = work.out / "p.pyro"
    work.profile("attach", target.pid, "-r", "200", "-d", "1", "-o", recording)
    lines, _ = replayed(work, recording)
    whole = samples_of(lines)
    thread = lines[0]
    function = max(functions_of(lines).items(), key=lambda item: (item[1] < whole, item[1]))[0]
    pattern = "^" + "".join(c if c.isalnum() else f"[{c}]" if c not in "^\\" else "." for c in function) + "$"
    for one, other in ((["--to", "0.5"], ["--from", "0.5"]),
                       (["--include", pattern], ["--exclude", pattern])):
        parts = [samples_of(replayed_or_none(work, recording, *words)) for words in (one, other)]
        expect_equal(sum(parts), whole, f"{one} and {other}: {parts}")
        expect(parts[0] > 0, f"{one} holds nothing")
    mine = replayed_or_none(work, recording, "--thread", str(thread.tid))
    expect_equal({line.tid for line in mine}, {thread.tid}, "threads")
    expect_equal(samples_of(mine), sum(line.count for line in lines if line.tid == thread.tid), "samples")
    expect_refusal(work.pyrometer("replay", recording, "--include", "no such function"), 6, "selection")


def replayed_or_none(work, recording, *options):
    """A part may be empty: then the status says so."""
    result = work.pyrometer("replay", "-f", "collapsed", "-o", "-", *options, recording)
    expect(result.status in (0, 6), f"status {result.status}: {result.err}")
    return parse_collapsed(result.out)


@case(over=newest_here)
def sources_are_inside(work, interpreter):
    """The text of a file that only the target can see; left out with --no-source."""
    need_root()
    hidden = work.folder / "hidden"
    hidden.mkdir()
    noise = os.urandom(NOISE_BYTES).hex()  # which nothing can compress to less than its half
    (work.folder / "spin.py").write_text(f"# {noise}\nprint('READY {{}}', flush=True)\nwhile True:\n    pass\n")
    script = 'mount -t tmpfs none "$1" && cp "$2" "$1/spin.py" && shift 2 && exec "$@"'
    target = work.target_of(
        [*private_mounts(), "sh", "-c", script, "sh", hidden, work.folder / "spin.py",
         interpreter.python, hidden / "spin.py"], env=TARGET_ENVIRONMENT)
    expect(not (hidden / "spin.py").exists(), "the file can be seen from here")
    sizes = []
    for name, options in (("with", []), ("without", ["--no-source"])):
        recording = work.out / f"{name}.pyro"
        work.profile("attach", target.pid, "-r", "200", "-d", "0.7", "-o", recording, *options)
        sizes.append(recording.stat().st_size)
    expect(sizes[0] > NOISE_BYTES, f"the source is not inside: {sizes}")
    expect(sizes[1] < NOISE_BYTES, f"the source is inside: {sizes}")


@case()
def not_recordings(work):
    """Whatever is not one is refused with a status of its own."""
    text = work.out / "text.pyro"
    text.write_text("process python3 (1);main 5\n")
    expect_refusal(work.pyrometer("replay", text), NOT_A_RECORDING, "recording", "text[.]pyro")
    expect_refusal(work.pyrometer("replay", work.out / "none.pyro"), NOT_A_RECORDING, "none[.]pyro")
    expect_refusal(work.pyrometer("replay", work.out), NOT_A_RECORDING)
    expect_refusal(work.pyrometer("replay", "-"), NOT_A_RECORDING)
    for words in ([], ["a", "b"], ["a", "--from", "soon"], ["a", "--to", ""], ["a", "--include", "("]):
        expect_refusal(work.pyrometer("replay", *words), 2)


@case(over=newest_here)
def a_disk_that_is_full(work, interpreter):
    """The others are still written; alone it ends the run."""
    target = busy(work, interpreter)
    lines = work.out / "p.collapsed"
    result = work.pyrometer(
        "attach", target.pid, "-d", "1.5", "-r", "100", "--binary", "-o", "/dev/full", bound=60)
    expect_refusal(result, 7, "/dev/full")
    result = work.pyrometer("attach", target.pid, "-d", "0.5", "-r", "100", "-o", lines,
                            "-o", link_to_full(work))
    expect_refusal(result, 7, "full.pyro")
    expect(samples_of(parse_collapsed(lines)) > 0, "the other output is empty")


def link_to_full(work):
    link = Path(work.folder, "full.pyro")
    link.symlink_to("/dev/full")
    return link


if __name__ == "__main__":
    sys.exit(main())
