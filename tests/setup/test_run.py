#!/usr/bin/env python3
"""tests/run.py itself, and the live tests' harness: what they count, what they run again, and what
they say of that."""

import contextlib
import io
import os
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import run  # noqa: E402

LIVE = os.path.join(os.path.dirname(run.__file__), "live")
GOOD = "echo ok 1 - one; echo 'ok 2 - two # SKIP why'; echo 1..2"
BAD = "echo ok 1 - one; echo not ok 2 - two; echo '# its words'; echo 1..2; exit 1"


def program(script, is_run_again=True):
    return run.Program("a/program", ["sh", "-c", script], dict(os.environ), is_run_again)


def bad_then_good(witness):
    """Fails as long as there is no `witness`, which it makes."""
    return f'if [ -e "{witness}" ]; then {GOOD}; else touch "{witness}"; {BAD}; fi'


def counts(script):
    outcome = run.run(program(script)).counts
    return outcome["passed"], outcome["failed"], outcome["skipped"]


def again(*programs):
    """(what there is to count after the second runs, what was said)"""
    said = io.StringIO()
    by_suite = {"suite": list(map(run.run, programs))}
    with contextlib.redirect_stdout(said):
        run.run_again(by_suite)
    return run.counts_of(by_suite["suite"]), said.getvalue()


def results_are_counted(_folder):
    assert counts(GOOD) == (1, 0, 1)
    assert counts(BAD) == (1, 1, 0)
    assert counts("echo 1..0 '# SKIP why'") == (0, 0, 1)


def what_no_result_tells_of_is_a_failure(_folder):
    for script in ("echo ok 1 - one", "echo ok 1 - one; echo 1..2", "echo 1..0", f"{GOOD}; exit 3",
                   f"{GOOD}; kill -SEGV $$", "exit 0"):
        assert counts(script)[1] == 1, (script, counts(script))


def a_second_run_counts_and_the_first_is_shown(folder):
    found, said = again(program(bad_then_good(folder / "witness")))
    assert found == Counter(passed=1, skipped=1), found
    assert "flaky, failed only the first time: a/program: two\n    # its words\n" in said, said


def what_fails_twice_has_failed_once(_folder):
    found, said = again(program(BAD))
    assert found == Counter(passed=1, failed=1), found
    assert "failed both times: a/program: two" in said, said


def not_everything_is_run_again(folder):
    scripts = [bad_then_good(folder / str(number)) for number in range(run.MOST_RUN_AGAIN + 1)]
    assert again(program(scripts[0], is_run_again=False)) == (Counter(passed=1, failed=1), "")
    (folder / "0").unlink()
    found, said = again(*map(program, scripts))
    assert found["failed"] == len(scripts) and "no accident" in said, (found, said)


def side_by_side_they_keep_their_order(_folder):
    scripts = [f"{pause}echo ok 1 - {number}; echo 1..1" for number, pause in enumerate(["sleep 0.2; ", "", ""])]
    outcomes = run.run_all(list(map(program, scripts)), 3)
    assert [outcome.results[0].name for outcome in outcomes] == ["0", "1", "2"]


def live(folder, complain):
    """The outcome of a live test of one case, and how often that was run."""
    runs = folder / "runs"
    code = (f"import sys; sys.path.insert(0, {LIVE!r}); import harness as h\n"
            f"@h.case()\ndef one(work):\n    with open({str(runs)!r}, 'a') as runs: runs.write('x')\n"
            f"    run = len(open({str(runs)!r}).read())\n    {complain}\nsys.exit(h.main())\n")
    environment = {**os.environ, "PYROMETER": "/bin/true"}
    outcome = run.run(run.Program("a/case", [sys.executable, "-c", code], environment, True))
    return outcome, len(runs.read_text())


def a_case_that_settles_has_passed(folder):
    outcome, runs = live(folder, "h.expect_likely(run == 3, 'its', 'words')")
    assert (outcome.counts, runs) == (Counter(passed=1), 3), outcome
    assert outcome.remarks == [f"again: one, run {run} of 3: its | words" for run in (1, 2)], outcome


def a_case_that_never_settles_has_failed(folder):
    outcome, runs = live(folder, "h.expect_likely(False, 'its words')")
    assert (outcome.counts, runs) == (Counter(failed=1), 3), outcome


def a_case_that_must_hold_has_one_run(folder):
    outcome, runs = live(folder, "h.expect(run > 1, 'its words')")
    assert (outcome.counts, runs) == (Counter(failed=1), 1), outcome


CASES = [
    results_are_counted, what_no_result_tells_of_is_a_failure, a_second_run_counts_and_the_first_is_shown,
    what_fails_twice_has_failed_once, not_everything_is_run_again, side_by_side_they_keep_their_order,
    a_case_that_settles_has_passed, a_case_that_never_settles_has_failed, a_case_that_must_hold_has_one_run]


def main():
    print(f"1..{len(CASES)}")
    failed = 0
    for number, case in enumerate(CASES, 1):
        complaint = ""
        with tempfile.TemporaryDirectory(prefix="pyrometer-run-") as folder:
            try:
                case(Path(folder))
            except Exception:
                complaint = traceback.format_exc()
        failed += bool(complaint)
        print(f"{'not ok' if complaint else 'ok'} {number} - {case.__name__.replace('_', ' ')}")
        print("".join(f"# {line}\n" for line in complaint.splitlines()), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
