#!/usr/bin/env python3
"""Tasks that wait: --async-mode all shows where all of them stand, and how long they do."""

import json
import signal
from collections import Counter

from harness import (
    case, each_version, expect, expect_equal, expect_likely, expect_status, main, parse_collapsed, three)

TITLE = "Where tasks waited"


def missed(stats):
    return stats["late"] / (stats["late"] + stats["ticks"])


def short(function):
    """Python tells qualified names from 3.11 on."""
    return function.split(".")[-1]


# -- shares -----------------------------------------------------------------------------------------

CROWD = 1200


def waiting_in(lines):
    """Samples of tasks that wait, by the function of the innermost coroutine."""
    places = Counter()
    for line in lines:
        functions = [short(frame.function) for frame in line.frames]
        if functions[0] == "<task>" and "main" not in functions:
            places[functions[-1]] += line.count
    return places


def take_crowd(work, target, rate):
    output, table = work.out / "crowd.collapsed", work.out / "crowd.txt"
    result, stats = work.profile(
        "attach", target.pid, "--async-aware", "--async-mode", "all", "-r", rate, "-d", "2",
        "-o", output, "-o", table)
    return result, stats, waiting_in(parse_collapsed(output)), table.read_text()


@case(over=each_version)
def every_task_counts_alike(work, interpreter):
    """Who is looked at goes by turns."""
    target = work.target(interpreter, "crowd.py", CROWD)
    result, stats, places, table = take_crowd(work, target, "100")
    total = sum(places.values())
    print(f"# {interpreter.label}: {dict(places)}, {result.err.strip()}")
    expect_equal(set(places), {"one", "two", "deeper"}, "where tasks wait")
    expect_likely(total > 3 * CROWD, f"only {total} samples of {CROWD} tasks: {result.err}")
    rounds = total / CROWD
    for name, share in (("one", 1 / 6), ("two", 2 / 6), ("deeper", 3 / 6)):
        # The last round, which is not whole, has taken them in any order.
        expect(abs(places[name] / total - share) <= 1 / rounds + 0.01,
               f"{name}: {places[name]} of {total}, {rounds:.1f} rounds")
    dwells = {short(row["function"]): row for row in stats["dwells"]}
    for name, share in (("one", 1 / 6), ("two", 2 / 6), ("deeper", 3 / 6)):
        row = dwells[name]
        expect_likely(row["going_on"] == row["most"] == CROWD * share, f"who waits in {name}: {row}")
        # One who could not be read for once has begun to wait anew.
        expect(0 <= row["waits"] - CROWD * share <= 0.01 * CROWD, f"waits in {name}: {row}")
        expect_equal(row["line"], target.facts["lines"]["three" if name == "deeper" else name], "the line")
    expect(TITLE in table, "no table of waits:", *table.splitlines())


@case(over=three)
def a_fair_part_where_there_is_no_time(work, interpreter):
    """At 10 kHz there is no time for all of them in a tick: it says so, and the shares are right."""
    target = work.target(interpreter, "crowd.py", CROWD)
    result, stats, places, _ = take_crowd(work, target, "10khz")
    total = sum(places.values())
    print(f"# {interpreter.label}: {dict(places)}, {result.err.strip()}")
    expect_likely(total > CROWD, f"only {total} samples of {CROWD} tasks: {result.err}")
    expect(0 < stats["tasks_seen"] < 0.9 * stats["tasks_there"], f"all were looked at: {stats}")
    expect("% of them looked at" in result.err, f"it does not say so: {result.err}")
    for name, share in (("one", 1 / 6), ("two", 2 / 6), ("deeper", 3 / 6)):
        expect(abs(places[name] / total - share) <= CROWD / total + 0.01, f"{name}: {places[name]} of {total}")


# -- a server ---------------------------------------------------------------------------------------


def serve(work, target):
    """The program's account of its requests, and the profile of all of them: (account, stats)."""
    outputs = [work.out / name for name in ("a.txt", "a.pyro", "a.collapsed")]
    stats = work.folder / "stats.json"
    options = [word for path in outputs for word in ("-o", path)]
    profiler = work.profiler("attach", "--async-aware", "--async-mode", "all", "-r", "1khz", "--stats", stats,
                             *options, target.pid)
    profiler.wait_until_it_samples()
    account = target.ask("DONE")
    profiler.signal(signal.SIGINT)
    result = profiler.finish()
    expect_status(result, 0)
    print("#", result.err.strip())
    return account, work.folder / "stats.json", outputs


def expect_account(work, row, account, stats):
    """A stall of the machine that is longer than what lies between two waits makes one of them: where
    that has been often, the last run judges nothing."""
    share = missed(stats)
    if work.is_last_run and share > 0.2:
        return
    slack = 0.03 + (share if work.is_last_run else 0)
    # All that was missed may have been missed at once, at the end of the longest wait.
    stall = stats["late"] / stats["requested_hz"] if work.is_last_run else 0
    blind = stats["duration_s"] / stats["ticks"] * stats["tasks_there"] / stats["tasks_seen"]
    found = {name: row[name] for name in ("waits", "mean_s", "p95_s", "longest_s", "most")}
    told = f"found {found}, told {account}, looked at every {1000 * blind:.1f} ms, {share:.3f} missed"
    print("#", told)
    expect_likely(abs(row["waits"] - account["waits"]) <= slack * account["waits"], "waits:", told)
    expect_likely(abs(row["mean_s"] - account["mean"]) <= slack * account["mean"] + blind, "mean:", told)
    # A bucket of the histogram is an eighth of a power of two.
    expect_likely(-blind <= row["p95_s"] - account["p95"] <= account["p95"] * (0.125 + slack) + 2 * blind,
                  "95th percentile:", told)
    expect_likely(abs(row["longest_s"] - account["longest"]) <= slack * account["longest"] + 2 * blind + stall,
                  "longest:", told)
    expect_likely(abs(row["most"] - account["most"]) <= 1 + 2 * slack * account["most"], "most at once:", told)


@case(over=three)
def requests_of_a_server(work, interpreter):
    """The table names the line of the await for dwelling, and who computes for the CPU."""
    target = work.target(interpreter, "slowserver.py")
    account, stats_path, (table, recording, collapsed) = serve(work, target)
    stats = json.loads(stats_path.read_text())
    rows = [row for row in stats["dwells"] if row["line"] == target.facts["line"]]
    expect_equal([short(row["function"]) for row in rows], ["fetch"], "who waits at the line of the database")
    expect_account(work, rows[0], account, stats)
    text = table.read_text()
    expect(f"slowserver.py:{target.facts['line']})" in text[text.index(TITLE):], "the table lacks it:",
           *text.splitlines())
    crunched = sum(line.count for line in parse_collapsed(collapsed) if short(line.frames[-1].function) == "crunch")
    share, truth = crunched / stats["ticks"], account["crunched"] / stats["duration_s"]
    expect_likely(abs(share - truth) <= 0.03 + missed(stats), f"crunch: {share:.4f} of the time, told {truth:.4f}")
    again = work.pyrometer("replay", "-q", recording, "-o", "-", "-f", "table")
    expect_status(again, 0)
    expect_equal(again.out.decode()[again.out.decode().index(TITLE):], text[text.index(TITLE):], "table of the recording")


@case(over=three)
def waits_one_after_the_other(work, interpreter):
    """What lies between two waits of a task is too short to be seen; that they are two is."""
    target = work.target(interpreter, "again.py")
    accounts, stats_path, _ = serve(work, target)
    stats = json.loads(stats_path.read_text())
    for kind, account in accounts.items():
        rows = [row for row in stats["dwells"] if row["line"] == target.facts["lines"][kind]]
        expect_likely(len(rows) == 1, f"{kind}: {rows}")
        expect_account(work, rows[0], account, stats)


if __name__ == "__main__":
    raise SystemExit(main())
