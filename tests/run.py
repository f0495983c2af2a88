#!/usr/bin/env python3
"""Runs test programs that print TAP, and counts.

    tests/run.py [--only TEXT] [--list] SUITE...

A SUITE is GROUP@FOLDER: a group of tests, with the build to test, for example
unit@build/gcc-dev. Groups: see GROUPS; some run their programs side by side, and of some a program
that failed is run again at the end, when nothing else runs: then that counts, and what failed
before is called flaky. The last line printed is `N passed, N failed, N skipped`.
"""

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from setup import roots  # noqa: E402

TREE = Path(__file__).resolve().parent.parent
# How long one program may take, in seconds; longer where a sanitizer or the long set is at work.
BOUND_SECONDS = 1200
LONG_BOUND_SECONDS = 3600
# The authorities that this machine trusts, as Debian has them.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# More programs than these fail for a reason: then none is run again.
MOST_RUN_AGAIN = 6
# How many of the programs that took longest are named at the end.
SLOWEST = 8
# How many lines of what a failed test says, and of its program's standard error, are shown.
SHOWN_LINES = 60

RESULT = re.compile(r"^(ok|not ok)\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(#\s*skip\b.*)?", re.IGNORECASE)
SKIP = re.compile(r"#\s*skip\b\s*(.*)$", re.IGNORECASE)
# What a program says of itself, whatever came of it: a case that did not settle at once.
REMARK = re.compile(r"^# (again: .*)")


@dataclass
class Program:
    """A test program: `name` is what --only and the messages go by."""

    name: str
    command: list
    environment: dict
    is_run_again: bool  # once more, should it fail


@dataclass
class Result:
    outcome: str  # passed, failed or skipped
    name: str
    notes: list = field(default_factory=list)


@dataclass
class Outcome:
    """What came of one run of a program."""

    program: Program
    results: list
    remarks: list
    seconds: float

    def named(self, outcome):
        return [result for result in self.results if result.outcome == outcome]

    @property
    def counts(self):
        return Counter(result.outcome for result in self.results)


# --- Groups: from a build folder to programs -------------------------------------------------------


def unit_programs(build):
    """One for each source: a program that was not built then fails, instead of being forgotten."""
    names = [source.stem for source in sorted((TREE / "tests/unit").glob("test_*.c"))]
    return [(name, [str(build / "tests" / name)]) for name in names]


def python_programs(folder):
    files = sorted((TREE / "tests" / folder).glob("test_*.py"))
    return [(file.stem, [sys.executable, str(file)]) for file in files]


def browser_programs(_build):
    files = sorted((TREE / "tests/browser").glob("test_*.mjs"))
    return [(file.stem, ["node", str(file)]) for file in files]


def setup_programs(_build):
    script = TREE / "tests/setup/interpreters.py"
    return [("interpreters", [sys.executable, str(script), "--tap"]), *python_programs("setup")]


# `programs` of a build; how many run at once; whether one that failed is run once more: only where
# the machine, Pythons that run meanwhile or a browser have their share in the outcome.
Group = namedtuple("Group", "programs jobs is_run_again")

GROUPS = {
    "setup": Group(setup_programs, 1, False),  # is every Python there that has to be? and run.py itself
    "unit": Group(unit_programs, os.cpu_count(), False),
    "golden": Group(lambda build: python_programs("golden"), os.cpu_count(), False),
    "live": Group(lambda build: python_programs("live"), 1, True),
    "browser": Group(browser_programs, 1, True),
    "apps": Group(lambda build: python_programs("apps"), 1, True),  # as far as packages.py brought them
    "fuzz": Group(lambda build: [("fuzz", ["tests/fuzz/fuzz.sh", "60"])], 1, False),
}


def environment_for(build):
    return {
        **os.environ,
        "PYROMETER": str(build / "pyrometer"),
        "PYROMETER_CACHE": str(roots.cache_folder()),
        "CMOCKA_MESSAGE_OUTPUT": "TAP",
    }


def programs_of(suite):
    group, _, folder = suite.partition("@")
    build = (TREE / folder).resolve()
    environment = environment_for(build)
    row = GROUPS[group]
    return [
        Program(f"{build.name}/{group}/{name}", command, environment, row.is_run_again)
        for name, command in row.programs(build)
    ]


# --- What the browser tests import -----------------------------------------------------------------


def npm_environment():
    """The browser is Debian's, nothing may bring one of its own; npm trusts what the machine does."""
    environment = {"PUPPETEER_SKIP_DOWNLOAD": "1", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
    if CERTIFICATES.exists():
        environment["NODE_EXTRA_CA_CERTS"] = str(CERTIFICATES)
    return {**environment, **os.environ}


def npm_install(folder, made):
    """Fills `made` with what the lock file in `folder` says, or not at all."""
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=made.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        (fresh / "node_modules").mkdir(parents=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(folder / file, fresh)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=5"]
        subprocess.run(command, cwd=fresh, env=npm_environment(), check=True)
        fresh.rename(made)


def install_node_modules():
    """`npm ci` into the cache, once for each lock file; the tree only gets a link to it.

    If that fails, npm has said why, and the tests that import what is missing fail.
    """
    folder = TREE / "tests/browser"
    lock = folder / "package-lock.json"
    if not lock.exists():
        return
    made = roots.cache_folder() / "browser" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    try:
        if not made.exists():
            npm_install(folder, made)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"browser: {error}", file=sys.stderr, flush=True)
        return
    link = folder / "node_modules"
    if link.is_symlink():
        link.unlink()
    if not link.exists():  # a developer's own folder stays
        link.symlink_to(made / "node_modules")


# --- Running one -----------------------------------------------------------------------------------


running = set()


def end_group(process):
    """Ends what the program left running in its own process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run_bounded(program, out, err):
    """Returns why the program did not end by itself or not well; "" if it did."""
    bound = LONG_BOUND_SECONDS if os.environ.get("PYROMETER_LONG") else BOUND_SECONDS
    try:
        process = subprocess.Popen(
            program.command,
            cwd=TREE,
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    except OSError as error:
        return f"did not start: {error}"
    running.add(process)
    try:
        status = process.wait(bound)
    except subprocess.TimeoutExpired:
        return f"still running after {bound} s"
    finally:
        end_group(process)
        running.discard(process)
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"exit status {status}" if status else ""


def parse_line(line):
    match = RESULT.match(line)
    if not match:
        return None
    skip = SKIP.search(match[3])
    # cmocka says "not ok 3 # SKIP name" of a test that it skipped.
    outcome = "skipped" if skip else "passed" if match[1] == "ok" else "failed"
    return Result(outcome, match[3].strip() or f"number {match[2]}")


def parse(text):
    """(results, number of results planned or None, remarks)"""
    results, planned, remarks = [], None, []
    for line in text.split("\n"):
        plan, result, remark = PLAN.match(line), parse_line(line), REMARK.match(line)
        if plan:
            planned = (planned or 0) + int(plan[1])
            if plan[2] and plan[1] == "0":
                planned += 1
                results.append(Result("skipped", plan[2].lstrip("# ")))
        elif result:
            results.append(result)
        elif remark:
            remarks.append(remark[1])
        elif results and results[-1].outcome == "failed":
            results[-1].notes.append(line)
    return results, planned, remarks


def check(results, planned, why):
    """The failures that no result tells of."""
    if planned is None:
        yield "no plan" + (f", {why}" if why else "")
    elif planned != len(results):
        yield f"{len(results)} results of {planned} planned" + (f", {why}" if why else "")
    elif why and not any(result.outcome == "failed" for result in results):
        yield why
    elif not results:
        yield "no tests"


def run(program):
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        why = run_bounded(program, out, err)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    results, planned, remarks = parse(texts[0])
    tail = texts[1].splitlines()[-SHOWN_LINES:]
    complaints = list(check(results, planned, why))
    for complaint in complaints:
        results.append(Result("failed", complaint, texts[0].splitlines()[-SHOWN_LINES:]))
    failures = [result for result in results if result.outcome == "failed"]
    for failure in failures:
        failure.notes = failure.notes[:SHOWN_LINES]
    if failures:
        failures[-1].notes += tail
    return Outcome(program, results, remarks, time.monotonic() - begin)


def run_all(programs, jobs):
    """The outcomes in the order of the programs, each as soon as it and those before are there."""
    if jobs == 1 or len(programs) < 2:
        yield from map(run, programs)
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(run, programs)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running):
            end_group(process)
        raise
    pool.shutdown()


# --- Telling ---------------------------------------------------------------------------------------


def show(result, program, word):
    print(f"  {word}: {program.name}: {result.name}")
    print("".join(f"    {note}\n" for note in result.notes), end="", flush=True)


def tell(outcome):
    program = outcome.program
    print(f"{program.name}: {counts_text(outcome.counts)} ({outcome.seconds:.0f} s)", flush=True)
    for remark in outcome.remarks:
        print(f"  {remark}")
    for result in outcome.named("skipped"):
        print(f"  skipped: {result.name}")
    for result in outcome.named("failed"):
        show(result, program, "FAILED")


def tell_again(first, second):
    """Of a program that was run again: what failed the first time, in full, and what came of it."""
    tell(second)
    failed = {result.name for result in second.named("failed")}
    for result in first.named("failed"):
        show(result, first.program, "failed both times" if result.name in failed else
             "flaky, failed only the first time")


def counts_text(counts):
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))


def tell_sum(by_suite):
    """The line of each suite, and where the time went."""
    print()
    for suite, outcomes in by_suite.items():
        seconds = sum(outcome.seconds for outcome in outcomes)
        print(f"{suite}: {counts_text(counts_of(outcomes))} ({seconds:.0f} s)")
    outcomes = sorted(sum(by_suite.values(), []), key=lambda outcome: -outcome.seconds)
    slowest = [f"{o.program.name} {o.seconds:.0f} s" for o in outcomes[:SLOWEST]]
    print(f"slowest: {', '.join(slowest)}")


# --- Running all -----------------------------------------------------------------------------------


def counts_of(outcomes):
    return sum((outcome.counts for outcome in outcomes), Counter())


def no_tests(suite):
    program = Program(suite, [], {}, False)
    return Outcome(program, [Result("failed", "no tests")], [], 0)


def run_suite(suite, only):
    """The outcomes of one suite. A suite without a test is a failure, unless --only left none."""
    programs = [program for program in programs_of(suite) if only in program.name]
    outcomes = []
    for outcome in run_all(programs, GROUPS[suite.partition("@")[0]].jobs):
        tell(outcome)
        outcomes.append(outcome)
    if not programs and not only:
        outcomes.append(no_tests(suite))
        tell(outcomes[-1])
    return outcomes


def run_again(by_suite):
    """Puts second outcomes in the place of those that failed and that may be run once more."""
    def is_due(outcome):
        return outcome.program.is_run_again and outcome.named("failed")

    due = [outcome for outcomes in by_suite.values() for outcome in outcomes if is_due(outcome)]
    if not due:
        return
    if len(due) > MOST_RUN_AGAIN:
        print(f"\nNone is run again: {len(due)} programs failed, which is no accident.")
        return
    print("\nRun again, each by itself; what follows counts instead of what was said above:")
    for first in due:
        second = run(first.program)
        tell_again(first, second)
        for outcomes in by_suite.values():
            outcomes[:] = [second if outcome is first else outcome for outcome in outcomes]


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", metavar="GROUP@FOLDER", nargs="+", help=" ".join(GROUPS))
    parser.add_argument("--only", metavar="TEXT", default="", help="programs with TEXT in their name")
    parser.add_argument("--list", action="store_true", help="print the names of the programs")
    arguments = parser.parse_args()
    for suite in arguments.suites:
        if suite.partition("@")[0] not in GROUPS:
            parser.error(f"no such group: {suite}")
    return arguments


def main():
    arguments = read_arguments()
    if arguments.list:
        names = [p.name for suite in arguments.suites for p in programs_of(suite)]
        print("\n".join(name for name in names if arguments.only in name))
        return 0
    if any(suite.startswith("browser@") for suite in arguments.suites):
        install_node_modules()
    by_suite = {suite: run_suite(suite, arguments.only) for suite in arguments.suites}
    run_again(by_suite)
    tell_sum(by_suite)
    total = counts_of(sum(by_suite.values(), []))
    if not total["passed"] and not total["failed"]:
        print("FAILED: no test ran")
        total["failed"] += 1
    print(counts_text(total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
