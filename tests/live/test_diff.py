#!/usr/bin/env python3
"""Two recordings compared: what changed is told, by how much and how sure; what did not change is not."""

import re
import sys

from harness import case, expect, expect_equal, expect_likely, expect_refusal, expect_status, main, newest

SECONDS = 4
POINTS = 3.0  # how far a change may be from the truth, in points of the time

ROW = re.compile(r"^ *[\d.]+ +[\d.]+ +([-+][\d.]+) ± ([\d.]+) +[-+][\d.]+ ± [\d.]+ +(.*?)  (hot|cold) ", re.MULTILINE)


def record(work, interpreter, name, share):
    """A recording of a program that spends `share` of its time in hot()."""
    path = work.folder / f"{name}.pyro"
    command = work.command(interpreter, "split.py", share, SECONDS)
    expect_status(work.pyrometer("run", "-o", path, "--", *command), 0)
    return path


def rows_of(work, base, new):
    """{function: (change, give or take, verdict)} in points of self time."""
    result = work.pyrometer("diff", base, new)
    expect_status(result, 0)
    text = result.out.decode()
    rows = {row[4]: (float(row[1]), float(row[2]), row[3].strip()) for row in ROW.finditer(text)}
    expect_equal(sorted(rows), ["cold", "hot"], f"functions in\n{text}")
    return rows


@case(over=newest)
def a_change_is_told(work, interpreter):
    base = record(work, interpreter, "base", 0.30)
    new = record(work, interpreter, "new", 0.60)
    rows = rows_of(work, base, new)
    for name, truth, verdict in (("hot", 30, "slower"), ("cold", -30, "faster")):
        change, spread, said = rows[name]
        expect_likely(abs(change - truth) <= POINTS + spread, f"{name} changed by {change} ± {spread}, wanted {truth}")
        expect_equal(said, verdict, f"verdict on {name}, {change} ± {spread}")
    refused = work.pyrometer("diff", "--fail-above", "5%", base, new)
    expect_refusal(refused, 8, "hot", "split.py")
    expect_status(work.pyrometer("diff", "--fail-above", "60%", base, new), 0)


@case(over=newest)
def no_change_is_none(work, interpreter):
    base = record(work, interpreter, "base", 0.50)
    new = record(work, interpreter, "new", 0.50)
    for name, (change, spread, _) in rows_of(work, base, new).items():
        expect_likely(abs(change) <= POINTS + spread, f"{name} changed by {change} ± {spread}, wanted 0")
    result = work.pyrometer("diff", "--fail-above", "10%", base, new)
    expect_likely(result.status == 0, f"exit status {result.status}: {result.err}")


@case(over=newest)
def other_formats_compare_too(work, interpreter):
    base = record(work, interpreter, "base", 0.30)
    new = record(work, interpreter, "new", 0.60)
    page, again = work.out / "d.html", work.out / "again.html"
    expect_status(work.pyrometer("diff", base, new, "-o", page, "-o", work.out / "d.diff"), 0)
    expect_status(work.pyrometer("replay", "--base", base, new, "-o", again), 0)
    expect_equal(again.read_bytes(), page.read_bytes(), "the page of replay --base")
    plain = work.out / "plain.html"
    expect_status(work.pyrometer("replay", new, "-o", plain), 0)
    expect(plain.read_bytes() != page.read_bytes(), "the page that compares is the plain one")


@case(over=newest)
def what_is_missing_is_named(work, interpreter):
    new = record(work, interpreter, "new", 0.5)
    expect_refusal(work.pyrometer("diff", new), 2, "two recordings")
    expect_refusal(work.pyrometer("replay", "-f", "diff", new), 2, "--base")
    expect_refusal(work.pyrometer("diff", work.folder / "none.pyro", new), 9, "none.pyro")
    expect_refusal(work.pyrometer("diff", "--fail-above", "much", new, new), 2, "--fail-above")


if __name__ == "__main__":
    sys.exit(main())
