#!/usr/bin/env python3
"""Our opcode tables, and where we see instructions, agree with each interpreter's own."""

import subprocess
from pathlib import Path

from harness import BOUND, case, every, expect, expect_equal, main
from pieces import knowing_program, start_script

DUMP = Path(__file__).with_name("opcodes_dump.py")
# Fewer would mean that the interpreter's side was not what it should be.
CODES, INSTRUCTIONS, PREFIXED, SPECIALISED, HIDDEN = 1000, 50000, 300, 300, 50


def compare(interpreter):
    """What opcodes_check found: ({name: count}, everything that it said)."""
    with start_script(interpreter, DUMP) as dumping:
        done = subprocess.run(
            [knowing_program("opcodes_check"), f"3.{interpreter.minor}"], stdin=dumping.stdout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BOUND)
        expect_equal(dumping.wait(BOUND), 0, f"exit status of {DUMP.name}")
    said = done.stdout.splitlines()
    expect(said and done.returncode in (0, 1), f"opcodes_check ended with {done.returncode}:", *said)
    return {name: int(count) for name, count in (c.split("=") for c in said[-1].split())}, said


@case(over=every)
def opcodes(_work, interpreter):
    counts, said = compare(interpreter)
    print(f"# {interpreter.label}: {said[-1]}")
    expect(counts["differences"] == 0, *said)
    expect(counts["opcodes"] > 100, "too few opcodes", *said)
    expect(counts["codes"] >= CODES and counts["instructions"] >= INSTRUCTIONS, "too few", *said)
    expect(counts["prefixed"] >= PREFIXED, "too few with EXTENDED_ARG", *said)
    # Specialisation came with 3.11 (free-threaded with 3.14), hidden instructions with 3.12.
    specialises = interpreter.minor >= (14 if interpreter.is_free_threaded else 11)
    expect(counts["specialised"] >= SPECIALISED or not specialises, "too few specialised", *said)
    expect(counts["hidden"] >= HIDDEN or interpreter.minor < 12, "too few hidden", *said)


if __name__ == "__main__":
    raise SystemExit(main())
