#!/usr/bin/env python3
"""Measures Pyrometer and every peer there is, in turn, on the same targets; prints Markdown tables.

    bench.py [--only TEXT]... [--versions 3.N]... [--pairs N] [--seconds S] [--quick] [-o FILE]

What is measured is in scenarios.py, with whom in profilers.py; `make bench-peers` installs peers. It
wants root, for the Pythons in roots of their own, and a machine that does nothing else.
"""

import argparse
import os
import sys
import traceback
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "bench"), str(TESTS / "truth"), str(TESTS / "live")]

import harness  # noqa: E402
import measure  # noqa: E402
import reference  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402
from measure import Outcome  # noqa: E402
from profilers import PROFILERS, Absent, Site  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402

FIRST = PROFILERS[0]
QUICK_PAIRS, QUICK_SECONDS, QUICK_SHARE = 1, 1.5, 0.05
# Looks at the stopped target, spread over the beginning and the end.
REFERENCE_LOOKS, REFERENCE_SECONDS = 6000, 300
# A target that has just started is not yet as fast as it gets.
WARM_UP_SECONDS = 1.0

# In a mount namespace of its own, with /proc, as a profiler in there needs it. Execs all the way.
WITH_PROC = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


def enter(interpreter):
    """The prefix of a command that is to run in the interpreter's root."""
    if interpreter.root is None:
        return []
    return ["unshare", "--mount", "sh", "-c", WITH_PROC, interpreter.root]


def site_of(work, running):
    """Where profilers meet this target."""
    interpreter = running.interpreter
    prefix = []
    if interpreter.root is not None:
        prefix = ["nsenter", "--target", str(running.target.pid), "--mount", "--root", "--wd=/"]
    return Site(running, prefix, *work.within(interpreter))


def start(work, interpreter, scenario):
    if scenario.form == "shares":
        return targets.start_shares(work, interpreter, enter(interpreter))
    return targets.start_tree(work, interpreter, enter(interpreter), scenario.form, *scenario.options)


class Bench:
    """All measurements of one call."""

    def __init__(self, options):
        self.options = options
        self.versions = {}  # {profiler: {version}}

    def profilers(self, site, scenario):
        """([(Profiler, its words)], {name: why it cannot be used})"""
        found, absent = [], {}
        chosen = [p for p in PROFILERS if p is FIRST or (self.options.peers and not scenario.ticks)]
        for profiler in chosen:
            if profiler.scenarios and scenario.name not in profiler.scenarios:
                continue
            try:
                version, words = profiler.find(site)
            except Absent as why:
                absent[profiler.name] = str(why)
                continue
            self.versions.setdefault(profiler.name, set()).add(version)
            found.append((profiler, words))
        return found, absent

    def stopped(self, running):
        """Stacks from half of the looks at the stopped target."""
        share = QUICK_SHARE if self.options.quick else 1
        looks, seconds = REFERENCE_LOOKS * share / 2, REFERENCE_SECONDS * share / 2
        return reference.sample_stopped(running.target.pid, harness.PYROMETER, int(looks), seconds)

    def rounds(self, work, site, found, rate, verdict):
        """{profiler: [Outcome]} of all pairs, each run between two looks at the undisturbed target."""
        outcomes = {profiler.name: [] for profiler, _ in found}
        rest = self.options.seconds / 2
        bases = [measure.undisturbed(site.running, rest)]
        for _ in range(self.options.pairs):
            for profiler, words in found:
                outcome = measure.run_once(work, site, profiler, words, rate, self.options.seconds, verdict)
                bases.append(measure.undisturbed(site.running, rest))
                if "rounds" in outcome.values:
                    outcome.values["slowdown"] = 1 - 2 * outcome.values["rounds"] / sum(bases[-2:])
                outcomes[profiler.name].append(outcome)
                self.tell(f"    {profiler.name}: {outcome.problem or 'done'}")
        return outcomes

    def long_run(self, work, site, found, rate, scenario):
        """Memory: as many looks as were asked for, by the rate of a short run."""
        (profiler, words), = found
        ticks = scenario.ticks * (QUICK_SHARE if self.options.quick else 1)
        short = measure.run_once(work, site, profiler, words, rate, self.options.seconds, None)
        if short.problem:
            return {profiler.name: [short]}
        seconds = round(1.1 * ticks / short.values["rate"] + 1, 1)
        return {profiler.name: [measure.run_long(work, site, profiler, words, rate, seconds)]}

    def target(self, scenario, interpreter, results):
        """Measures one scenario on one Python."""
        work = harness.Work()
        try:
            running = start(work, interpreter, scenario)
            site = site_of(work, running)
            found, absent = self.profilers(site, scenario)
            measure.undisturbed(running, WARM_UP_SECONDS)
            stopped = self.stopped(running) if scenario.stops else []
            verdict = running.judge.judge(stopped + self.stopped(running)) if scenario.stops else None
            for rate in scenario.rates:
                self.tell(f"  Python {interpreter.version}, {rate:,} Hz")
                if scenario.ticks:
                    outcomes = self.long_run(work, site, found, rate, scenario)
                else:
                    outcomes = self.rounds(work, site, found, rate, verdict)
                outcomes.update({name: [Outcome(problem=why)] for name, why in absent.items()})
                results.update({(interpreter.version, rate, name): all_of for name, all_of in outcomes.items()})
        finally:
            work.close()

    def scenario(self, scenario):
        """The lines of its table."""
        self.tell(scenario.title)
        results = {}
        minors = self.options.versions or scenario.versions
        for interpreter in harness.each_version():
            if interpreter.minor not in minors or interpreter.label.endswith("freethreaded"):
                continue
            try:
                self.target(scenario, interpreter, results)
            except Exception:  # one target's trouble is not the others'
                why = "could not be measured: " + traceback.format_exc().strip().splitlines()[-1]
                results[(interpreter.version, 0, FIRST.name)] = [Outcome(problem=why)]
                self.tell(traceback.format_exc())
        return report.table(scenario, results, FIRST.name)

    def tell(self, text):
        print(text, file=sys.stderr, flush=True)


def minor_of(text):
    return int(text.rpartition(".")[2])


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="TEXT", help="scenarios with TEXT in their name")
    parser.add_argument(
        "--versions", action="append", type=minor_of, metavar="3.N",
        help="on this Python, whatever a scenario asks for; several times")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="runs of each profiler (%(default)s)")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S", help="length of a run (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one short run each: does it work?")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="Pyrometer alone")
    parser.add_argument("--list", action="store_true", help="print the scenarios")
    parser.add_argument("-o", dest="output", metavar="FILE", help="write the tables there as well")
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.seconds = QUICK_PAIRS, QUICK_SECONDS
    return options


def estimate_minutes(options, scenarios):
    """Roughly, were every profiler there for every Python."""
    profilers = len(PROFILERS) - 1 if options.peers else 1
    cells = sum(len(options.versions or s.versions) * len(s.rates) for s in scenarios)
    return cells * profilers * options.pairs * (1.5 * options.seconds + 1) / 60


def measure_all(bench, scenarios, load):
    """Prints the tables, those that there are also when interrupted."""
    options, tables, text = bench.options, [], ""
    bench.tell(f"about {estimate_minutes(options, scenarios):.0f} minutes")
    try:
        for scenario in scenarios:
            tables += bench.scenario(scenario)
            head = report.introduction(
                sys.argv[1:], targets.cores(), bench.versions, options.pairs, options.seconds, load)
            text = "\n".join(head + tables)
            if options.output:
                Path(options.output).write_text(text + "\n", encoding="utf-8")
    except KeyboardInterrupt:
        bench.tell("interrupted")
    print(text)


def main():
    options = read_options()
    chosen = [s for s in SCENARIOS if not options.only or any(text in s.name for text in options.only)]
    if options.list or not chosen:
        print("\n".join(f"{scenario.name:<18} {scenario.title}" for scenario in SCENARIOS))
        return 0 if options.list else 2
    if not os.access(harness.PYROMETER, os.X_OK):
        print(f"no {harness.PYROMETER}: build it first", file=sys.stderr)
        return 1
    measure_all(Bench(options), chosen, os.getloadavg())
    return 0


if __name__ == "__main__":
    sys.exit(main())
