#!/usr/bin/env python3
"""The target is only ever read: no system call of ours could write into it, or stop it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from harness import PYROMETER, case, expect, expect_equal, main, three

FILTER = Path(__file__).resolve().parent / "no_writing.py"

# Each does one thing that is forbidden, or none; OTHER is the pid of another process.
LIBC = "import ctypes, os, signal; libc = ctypes.CDLL(None); OTHER = int(os.environ['OTHER']); "
FORBIDDEN = {
    "a write into another process": "libc.process_vm_writev(OTHER, None, 0, None, 0, 0)",
    "tracing": "libc.ptrace(16, OTHER, None, None)",
    "its memory, opened to write": "open(f'/proc/{OTHER}/mem', 'r+b')",
    "a file, opened to write": "open('/dev/null', 'w')",
    "a signal": "os.kill(OTHER, 0)",
}


def filtered(*command, other=0):
    # The search for leaks, in a build that has one, traces its own process.
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return subprocess.run(
        [sys.executable, str(FILTER), *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, timeout=120, check=False,
        env={**os.environ, "OTHER": str(other), "ASAN_OPTIONS": sanitizer})


@case()
def the_filter_kills_who_writes(work):
    other = work.start(["sleep", "600"])
    for what, code in FORBIDDEN.items():
        result = filtered(sys.executable, "-c", LIBC + code, other=other.pid)
        expect_equal(result.returncode, -signal.SIGSYS, f"{what}: exit status")
    result = filtered(sys.executable, "-c", LIBC + "print(len(open('/proc/self/maps').read()) > 0)", other=other.pid)
    expect_equal((result.returncode, result.stdout), (0, b"True\n"), "only reading")


@case(over=three)
def profiling_only_reads(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    for words in (("attach", "-q", "-d", "1", target.pid), ("dump", target.pid)):
        result = filtered(PYROMETER, *words)
        expect_equal(result.returncode, 0, f"{words[0]}: exit status ({result.stderr.decode()})")
        expect(b"MainThread" in result.stdout or b"function" in result.stdout, f"{words[0]}: {result.stdout!r}")


if __name__ == "__main__":
    sys.exit(main())
