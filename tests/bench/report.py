"""Markdown: what was measured, as tables."""

import math
import os
import platform
import statistics
import subprocess
from collections import namedtuple

import harness

# A column: its head, how the runs of a cell are taken together, and how the result is shown.
Metric = namedtuple("Metric", "head combine show")


def median(values):
    return statistics.median(values)


def pooled(pairs):
    """Events of all runs together: a median of rare ones would be 0."""
    return sum(count for count, _ in pairs), sum(of for _, of in pairs)


def show_count(value):
    return f"{value:,.0f}"


def show_percent(value):
    return f"{100 * value:.2f} %"


def show_points(value):
    return f"{100 * value:.2f}"


def show_megabytes(value):
    return f"{value / 1e6:.1f} MB"


def show_share(pair):
    """A share of events, with their number where it is small enough to matter."""
    count, of = pair
    if not of:
        return "-"
    if not count:
        return f"0 of {of:,.0f}"
    digits = max(2, 2 - math.floor(math.log10(100 * count / of)))
    return f"{100 * count / of:.{min(digits, 5)}f} %"


METRICS = {
    "rate": Metric("samples/s", median, show_count),
    "lost": Metric("lost", pooled, show_share),
    "impossible": Metric("impossible", pooled, show_share),
    "function": Metric("impossible: function", pooled, show_share),
    "line": Metric("impossible: line", pooled, show_share),
    "unverified": Metric("not verified", pooled, show_share),
    "points": Metric("error of the share, points", median, show_points),
    "points_by_time": Metric("by time, points", median, show_points),
    "levels": Metric("distance, depth", median, show_percent),
    "levels_chance": Metric("of which chance", median, show_percent),
    "leaves": Metric("distance, leaf", median, show_percent),
    "leaves_chance": Metric("of which chance", median, show_percent),
    "slowdown": Metric("slow-down of the target", median, show_percent),
    "cpu": Metric("CPU, of a core", median, show_percent),
    "rss": Metric("most memory", median, show_megabytes),
    "waited": Metric("target waited for its core", median, show_percent),
    "ticks": Metric("looks", median, show_count),
    "rss_early": Metric("after a tenth", median, show_megabytes),
    "rss_late": Metric("at the end", median, show_megabytes),
}

# How a ratio is read: more of it is better, or less.
MORE_IS_BETTER = {"rate"}


def values_of(outcomes, name):
    values = (outcome.values.get(name) for outcome in outcomes)
    return [value for value in values if value is not None]


def cell(outcomes, name):
    values = values_of(outcomes, name)
    return METRICS[name].show(METRICS[name].combine(values)) if values else "-"


def ratio(ours, theirs, name):
    """How many times better the first is: the median over the pairs of runs."""
    pairs = [
        (a.values[name], b.values[name]) for a, b in zip(ours, theirs)
        if a.values.get(name) and b.values.get(name)]
    if not pairs:
        return "-"
    better = [a / b if name in MORE_IS_BETTER else b / a for a, b in pairs]
    return f"{statistics.median(better):.1f} x"


def row(scenario, key, outcomes, first):
    version, rate, profiler = key
    cells = [version, f"{rate:,}", profiler]
    cells += [cell(outcomes, name) for name in scenario.columns]
    for name in scenario.ratios:
        cells.append("" if outcomes is first else ratio(first, outcomes, name))
    return cells


def heads(scenario, first_name):
    names = [METRICS[name].head for name in scenario.columns]
    ratios = [f"{first_name} better in {METRICS[name].head}" for name in scenario.ratios]
    return ["Python", "asked, Hz", "profiler", *names, *ratios]


def line(cells):
    return "| " + " | ".join(cells) + " |"


def table(scenario, results, first_name):
    """`results`: {(version, rate, profiler): [Outcome]}, in order."""
    lines = [f"### {scenario.title}", ""]
    options = " ".join((scenario.form, *scenario.options))
    lines += [f"`{scenario.name}`: program `{options}`", ""]
    measured = {key: outcomes for key, outcomes in results.items() if values_of(outcomes, scenario.columns[0])}
    names = heads(scenario, first_name)
    if measured:
        lines += [line(names), line(["---"] * len(names))]
    for key, outcomes in measured.items():
        first = results.get((*key[:2], first_name), [])
        lines.append(line(row(scenario, key, outcomes, first)))
    return [*lines, "", *problems(results)]


def problems(results):
    """What could not be measured, and why: each said once."""
    said = {}
    for (version, rate, profiler), outcomes in results.items():
        for outcome in outcomes:
            if outcome.problem:
                said.setdefault((profiler, outcome.problem), []).append(f"{version} at {rate:,} Hz")
    lines = [
        f"- {profiler} {problem} ({', '.join(dict.fromkeys(where))})" for (profiler, problem), where in said.items()]
    return [*lines, ""] if lines else []


def answer(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for text in file:
            if text.startswith("model name"):
                return text.partition(":")[2].strip()
    return platform.machine()


def introduction(words, cores, versions, pairs, seconds, load):
    """How it was measured: the machine, the command, what took part."""
    target, profiler = cores
    commit = answer(["git", "-C", str(harness.TESTS), "describe", "--always", "--dirty"])
    load = ", ".join(f"{number:.1f}" for number in load)
    took_part = "; ".join(f"{name} {', '.join(sorted(found))}" for name, found in versions.items())
    pinned = "on different cores" if target != profiler else "on the same core, so these figures say little"
    command = "make bench" + (f" BENCH='{' '.join(words)}'" if words else "")
    return [
        "# Benchmark", "",
        f"- Machine: {cpu_model()}, {os.cpu_count()} cores, Linux {platform.release()}, load before: {load}",
        f"- Command: `{command}`, at commit {commit or '?'}",
        f"- Target and profiler pinned {pinned}; {pairs} runs of {seconds:g} s each in turn; medians, and for "
        "shares of samples all runs together",
        f"- Took part: {took_part}",
        "",
    ]
