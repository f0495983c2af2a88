"""Readers of every format: each, where there is somebody else's, that.

A reader takes a path and the Work of the case, and gives {(function, file): (self samples, total
samples)}. What pages and viewers show in a browser is for tests/browser.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
from collections import Counter

from harness import PYROMETER, expect, expect_equal, parse_collapsed
from setup import interpreters

TOP = 10


class Tally:
    """Counts stacks: sequences of (function, file), root first."""

    def __init__(self):
        self.self, self.total = Counter(), Counter()

    def add(self, stack, samples):
        self.self[stack[-1]] += samples
        for function in set(stack):
            self.total[function] += samples

    def counts(self):
        return {function: (self.self[function], total) for function, total in self.total.items()}


def read_collapsed(path, _work):
    tally = Tally()
    for line in parse_collapsed(path):
        tally.add([(frame.function, frame.file) for frame in line.frames], line.count)
    return tally.counts()


def read_jsonl(path, _work):
    tally, lines = Tally(), [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    expect_equal([lines[0]["type"], lines[-1]["type"]], ["profile", "end"], "first and last line")
    for line in lines[1:-1]:
        expect_equal(line["type"], "samples", "a line's type")
        stack = [(frame["function"], frame.get("file", "")) for frame in line["stack"]]
        tally.add(stack, line["samples"])
    expect_equal(sum(tally.self.values()), lines[-1]["samples"], "samples in the last line")
    return tally.counts()


# What the pstats module of the Python that runs this makes of a file.
PSTATS_READER = """
import io, json, pstats, sys
stats = pstats.Stats(sys.argv[1], stream=io.StringIO())
stats.sort_stats("tottime").print_stats()
stats.print_callers()
stats.print_callees()
print(json.dumps([[*function, cc, nc] for function, (cc, nc, *_) in stats.stats.items()]))
"""


def read_pstats_with(interpreter, path, work):
    ours, theirs = work.within(interpreter)
    shutil.copy(path, ours / path.name)
    command = work.command(interpreter, "-c", PSTATS_READER, theirs / path.name)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expect_equal(done.returncode, 0, f"exit status of pstats of {interpreter.label}, after {done.stderr[:300]}")
    return {(name, "" if file == "~" else file): (own, total)
            for file, _, name, own, total in json.loads(done.stdout)}


def read_pstats(path, work):
    """By the oldest and the newest Python there is."""
    found = sorted(interpreters.find_one_each(), key=lambda i: i.minor)
    read = [read_pstats_with(interpreter, path, work) for interpreter in (found[0], found[-1])]
    expect_equal(read[0], read[1], f"pstats of {found[0].label} and of {found[-1].label}")
    return read[0]


def varint(data, at):
    value = shift = 0
    while True:
        value, byte = value | (data[at] & 0x7F) << shift, data[at]
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def check_framing(data):
    """Every field of the outermost message is whole, of a known number, and of its wire type."""
    at, seen = 0, Counter()
    while at < len(data):
        tag, at = varint(data, at)
        field, wire = tag >> 3, tag & 7
        expect(field in range(1, 15), f"field {field} at byte {at}")
        expect_equal(wire, 0 if field in (9, 10, 12, 14) else 2, f"wire type of field {field}")
        value, at = varint(data, at)
        at += value if wire == 2 else 0
        seen[field] += 1
    expect_equal(at, len(data), "end of the last field")
    expect_equal(seen[1], 2, "sample types")
    expect(all(seen[field] for field in (2, 3, 4, 5, 6)), f"fields that are missing: {seen}")


GO_TOP = ["tool", "pprof", "-top", "-sample_index=samples", "-filefunctions",
          "-nodecount=1000000", "-nodefraction=0", "-edgefraction=0"]
GO_ROW = re.compile(r"^ *(\d+) +[\d.]+% +[\d.]+% +(\d+) +[\d.]+%  (.*)$")


def read_pprof(path, _work):
    check_framing(gzip.decompress(path.read_bytes()))
    environment = {**os.environ, "PPROF_TMPDIR": str(path.parent.parent), "GOTOOLCHAIN": "local"}
    done = subprocess.run(["go", *GO_TOP, str(path)], capture_output=True, text=True, check=False,
                          env=environment)
    expect_equal(done.returncode, 0, f"exit status of go tool pprof, after {done.stderr[:300]}")
    rows = filter(None, map(GO_ROW.match, done.stdout.splitlines()))
    counts = {}
    for row in rows:
        name, _, file = row[3].rpartition(" ") if " /" in row[3] else (row[3], "", "")
        counts[name, file] = int(row[1]), int(row[2])
    return counts


def read_firefox(path, _work):
    profile, tally = json.loads(path.read_text("utf-8")), Tally()
    shared = profile["shared"]
    texts, functions, frames = shared["stringArray"], shared["funcTable"], shared["frameTable"]
    files = shared["sources"]["filename"]

    def function_of(frame):
        function = frames["func"][frame]
        source = functions["source"][function]
        return texts[functions["name"][function]], "" if source is None else texts[files[source]]

    def stack_of(index):
        stack = []
        while index is not None:
            stack.append(function_of(shared["stackTable"]["frame"][index]))
            index = shared["stackTable"]["prefix"][index]
        return stack[::-1]

    for thread in profile["threads"]:
        samples = thread["samples"]
        expect_equal(samples["weightType"], "samples", "what weights are")
        for index, weight in zip(samples["stack"], samples["weight"]):
            if index is not None and weight:
                tally.add(stack_of(index), weight)
    return tally.counts()


def read_chrome(path, _work):
    """Slices that lie in each other are calls; of a recursion the outermost counts."""
    tally, by_thread = Tally(), {}
    for event in json.loads(path.read_text("utf-8"))["traceEvents"]:
        if event["ph"] == "X":
            by_thread.setdefault((event["pid"], event["tid"]), []).append(event)
    for events in by_thread.values():
        opened = []  # (end, function)
        for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
            function = event["name"], event["args"].get("file", "")
            opened = [(end, f) for end, f in opened if end > event["ts"]]
            tally.self[function] += event["args"]["self"]
            tally.total[function] += 0 if function in [f for _, f in opened] else event["args"]["samples"]
            opened.append((event["ts"] + event["dur"], function))
    return tally.counts()


def read_svg(path, _work):
    """The box that stands for everything; boxes of recursive calls cannot be told apart by function."""
    everything = re.search(r"<title>all: [^,]+, ([\d,]+) samples", path.read_text("utf-8"))
    return int(everything[1].replace(",", ""))


def read_table(path, _work):
    """{(function, file): self share in percent}, of the rows that are shown."""
    row = re.compile(r"^ *([\d.]+) +[\d.]+-[\d.]+ .*?  ([^\s\d].*?) {2,}(\S+):\d+", re.MULTILINE)
    return {(name, file): float(percent) for percent, name, file in row.findall(path.read_text("utf-8"))}


def read_recording(path, work):
    """As another format; its own reader is Pyrometer."""
    replayed = work.folder / "replayed.collapsed"
    result = work.pyrometer("replay", path, "-o", replayed)
    expect_equal(result.status, 0, f"exit status of replay, after {result.err[:300]}")
    return read_collapsed(replayed, work)


# -- readers of formats whose samples have no number, but a time, in nanoseconds -----------------


def read_jsonl_times(path, _work):
    tally = Tally()
    for line in map(json.loads, path.read_text("utf-8").splitlines()[1:-1]):
        tally.add([(frame["function"], frame.get("file", "")) for frame in line["stack"]], line["duration_ns"])
    return tally.counts()


def read_speedscope(path, _work):
    scope, tally = json.loads(path.read_text("utf-8")), Tally()
    frames = [(frame["name"], frame.get("file", "")) for frame in scope["shared"]["frames"]]
    for profile in scope["profiles"]:
        for stack, weight in zip(profile["samples"], profile["weights"]):
            if stack:
                tally.add([frames[index] for index in stack], weight)
    return tally.counts()


# -- the comparison -----------------------------------------------------------------------------

# format: (extension, reader)
BY_SAMPLES = {
    "jsonl": (".jsonl", read_jsonl),
    "pstats": (".pstats", read_pstats),
    "pprof": (".pb.gz", read_pprof),
    "firefox": (".firefox.json", read_firefox),
    "chrome": (".trace.json", read_chrome),
    "recording": (".pyro", read_recording),
}
BY_TIME = {
    "speedscope": (".speedscope.json", read_speedscope),
}
OTHERS = {
    "collapsed": ".collapsed",  # what the others are compared with
    "table": ".txt",
    "svg": ".svg",
}
# Read where there is a browser.
PAGES = {
    "flamegraph": ".html",
    "heatmap": ".heatmap.html",
}
# Compares two runs: test_diff.
OF_TWO = {"diff"}
EXTENSIONS = [*(row[0] for table in (BY_SAMPLES, BY_TIME) for row in table.values()), *OTHERS.values(), *PAGES.values()]


def formats():
    """The formats that pyrometer says it has."""
    text = subprocess.run([PYROMETER, "attach", "--help"], capture_output=True, text=True, check=True).stdout
    section = text.partition("\nFormats")[2].partition("\n\n")[0]
    return {line.split()[0] for line in section.splitlines()[1:]}


def expect_same(found, wanted, what):
    """Differences are shown function by function: the whole would be a page."""
    wrong = [f"{function}: {found.get(function)}, wanted {wanted.get(function)}"
             for function in {*found, *wanted} if found.get(function) != wanted.get(function)]
    expect(not wrong, f"{what}: functions with other counts:", *wrong[:TOP])
    order = [sorted(counts, key=lambda f: (-counts[f][0], -counts[f][1], f))[:TOP] for counts in (found, wanted)]
    expect_equal(order[0], order[1], f"{what}: the hottest functions")


def expect_all_the_same(path_of, work):
    """All files tell the same; `path_of` gives their paths by extension. Returns the samples that there are."""
    wanted = read_collapsed(path_of(".collapsed"), work)
    all_samples = sum(own for own, _ in wanted.values())
    for name, (extension, read) in BY_SAMPLES.items():
        expect_same(read(path_of(extension), work), wanted, name)
    times = read_jsonl_times(path_of(".jsonl"), work)
    for name, (extension, read) in BY_TIME.items():
        expect_same(read(path_of(extension), work), times, name)
    expect_equal(read_svg(path_of(".svg"), work), all_samples, "samples in the picture")
    rows, all_time = read_table(path_of(".txt"), work), sum(own for own, _ in times.values())
    expect(rows, "no rows in the table")
    for function, percent in rows.items():
        share = 100 * times[function][0] / all_time
        expect(abs(share - percent) <= 0.0051, f"{function} has {percent} % in the table, {share} % of the time")
    hottest, _ = max(wanted, key=lambda function: wanted[function][0])
    for name, extension in PAGES.items():
        page = path_of(extension).read_text("utf-8")
        expect(hottest in page and page.rstrip().endswith("</html>"), f"{name} is no page about {hottest}")
    return all_samples
