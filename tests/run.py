#!/usr/bin/env python3
"""Runs test programs that print TAP, one after the other, and counts.

    tests/run.py [--only TEXT] [--list] SUITE...

A SUITE is GROUP@FOLDER: a group of tests, with the build to test, for example
unit@build/gcc-dev. Groups: see GROUPS. The last line printed is `N passed, N failed, N skipped`.
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
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from setup import roots  # noqa: E402

TREE = Path(__file__).resolve().parent.parent
# How long one program may take, in seconds; longer where a sanitizer or the long set is at work.
BOUND_SECONDS = 600
LONG_BOUND_SECONDS = 3600
# The authorities that this machine trusts, as Debian has them.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# How many lines of what a failed test says, and of its program's standard error, are shown.
SHOWN_LINES = 60

RESULT = re.compile(r"^(ok|not ok)\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(#\s*skip\b.*)?", re.IGNORECASE)
SKIP = re.compile(r"#\s*skip\b\s*(.*)$", re.IGNORECASE)


@dataclass
class Program:
    """A test program: `name` is what --only and the messages go by."""

    name: str
    command: list
    environment: dict


@dataclass
class Result:
    outcome: str  # passed, failed or skipped
    name: str
    notes: list = field(default_factory=list)


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
    return [("interpreters", [sys.executable, str(script), "--tap"])]


GROUPS = {
    "setup": setup_programs,  # is every Python there that has to be?
    "unit": unit_programs,
    "golden": lambda build: python_programs("golden"),
    "live": lambda build: python_programs("live"),
    "browser": browser_programs,
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
    return [
        Program(f"{build.name}/{group}/{name}", command, environment)
        for name, command in GROUPS[group](build)
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
        command = ["npm", "ci", "--no-audit", "--no-fund"]
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
    try:
        status = process.wait(bound)
    except subprocess.TimeoutExpired:
        return f"still running after {bound} s"
    finally:
        end_group(process)
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
    """(results, number of results planned or None)"""
    results, planned = [], None
    for line in text.split("\n"):
        plan, result = PLAN.match(line), parse_line(line)
        if plan:
            planned = (planned or 0) + int(plan[1])
            if plan[2] and plan[1] == "0":
                planned += 1
                results.append(Result("skipped", plan[2].lstrip("# ")))
        elif result:
            results.append(result)
        elif results and results[-1].outcome == "failed":
            results[-1].notes.append(line)
    return results, planned


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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        why = run_bounded(program, out, err)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    results, planned = parse(texts[0])
    tail = texts[1].splitlines()[-SHOWN_LINES:]
    complaints = list(check(results, planned, why))
    for complaint in complaints:
        results.append(Result("failed", complaint, texts[0].splitlines()[-SHOWN_LINES:]))
    failures = [result for result in results if result.outcome == "failed"]
    for failure in failures:
        failure.notes = failure.notes[:SHOWN_LINES]
    if failures:
        failures[-1].notes += tail
    return results


# --- Telling ---------------------------------------------------------------------------------------


def tell(program, results, seconds):
    counts = Counter(result.outcome for result in results)
    print(f"{program.name}: {counts_text(counts)} ({seconds:.0f} s)", flush=True)
    for result in results:
        if result.outcome == "skipped":
            print(f"  skipped: {result.name}")
        if result.outcome == "failed":
            print(f"  FAILED: {program.name}: {result.name}")
            print("".join(f"    {note}\n" for note in result.notes), end="", flush=True)


def counts_text(counts):
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))


def run_suite(suite, only):
    """Counts of one suite. A suite without a test is a failure, unless --only left none."""
    programs = [program for program in programs_of(suite) if only in program.name]
    counts = Counter()
    for program in programs:
        begin = time.monotonic()
        results = run(program)
        tell(program, results, time.monotonic() - begin)
        counts.update(result.outcome for result in results)
    if not programs and not only:
        print(f"{suite}: FAILED: no tests", flush=True)
        counts["failed"] += 1
    return counts


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
    print()
    for suite, counts in by_suite.items():
        print(f"{suite}: {counts_text(counts)}")
    total = sum(by_suite.values(), Counter())
    if not total["passed"] and not total["failed"]:
        print("FAILED: no test ran")
        total["failed"] += 1
    print(counts_text(total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
