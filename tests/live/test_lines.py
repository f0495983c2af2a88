#!/usr/bin/env python3
"""Our line tables say of every instruction what the interpreter itself says of it."""

import subprocess
from pathlib import Path

from harness import BOUND, case, every, expect, expect_equal, main
from pieces import knowing_program, start_script

DUMP = Path(__file__).with_name("lines_dump.py")
# Fewer would mean that the interpreter's side was not what it should be.
CODES, INSTRUCTIONS, STEPS_BACK = 2000, 50000, 500


def compare(interpreter):
    """What lines_check found: ({name: count}, everything that it said)."""
    version = [str(interpreter.minor), str(int(interpreter.is_free_threaded))]
    with start_script(interpreter, DUMP) as dumping:
        done = subprocess.run(
            [knowing_program("lines_check"), *version], stdin=dumping.stdout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BOUND)
        expect_equal(dumping.wait(BOUND), 0, f"exit status of {DUMP.name}")
    said = done.stdout.splitlines()
    expect(said and done.returncode in (0, 1), f"lines_check ended with {done.returncode}:", *said)
    return {name: int(count) for name, count in (c.split("=") for c in said[-1].split())}, said


@case(over=every)
def line_tables(_work, interpreter):
    counts, said = compare(interpreter)
    print(f"# {interpreter.label}: {said[-1]}")
    expect(counts["differences"] == 0, *said)
    expect(counts["codes"] >= CODES and counts["compared"] >= INSTRUCTIONS, "too few", *said)
    expect(counts["steps_back"] >= STEPS_BACK, "too few lines that go back", *said)
    # 3.8 and 3.9 have a line for every instruction, and columns came with 3.11.
    expect_equal(counts["without_line"] > 0, interpreter.minor >= 10, "instructions without a line")
    expect_equal(counts["with_columns"] > INSTRUCTIONS, interpreter.minor >= 11, "columns")


if __name__ == "__main__":
    raise SystemExit(main())
