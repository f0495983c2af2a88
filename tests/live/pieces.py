"""For tests of single pieces: C programs built from what they need of the tree, and scripts that an
interpreter runs from its standard input, so that they need not be in its root."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

from harness import TARGET_ENVIRONMENT, TESTS, expect, interpreters

TREE = TESTS.parent
COMPILER = os.environ.get("CC", "cc")
# Knowledge of layouts, line tables and bytecode, which is pure.
KNOWLEDGE = [
    *(TREE / "target-runtime" / "layouts").glob("*.c"),
    *(TREE / "target-runtime" / "opcodes").glob("*.c"),
    TREE / "target-runtime" / "callsite.c",
    TREE / "target-runtime" / "layout.c",
    TREE / "target-runtime" / "lines.c",
    TREE / "target-runtime" / "opcodes.c",
    TREE / "profiler" / "base" / "status.c",
]
# What reads the memory of a live process.
READER = [
    TREE / "profiler" / "base" / "arena.c",
    TREE / "reader" / "memory.c",
    TREE / "reader" / "memory_live.c",
]

_folder = tempfile.TemporaryDirectory(prefix="pyrometer-live-")


def compile_program(program, sources, *options):
    command = [COMPILER, "-std=gnu11", *options, *sources, "-o", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect(done.returncode == 0, f"{sources[0]} does not compile:", *done.stdout.splitlines()[:20])
    return program


@functools.lru_cache(maxsize=None)
def knowing_program(name):
    """tests/live/NAME.c, built together with KNOWLEDGE and READER."""
    sources = [TESTS / "live" / f"{name}.c", *KNOWLEDGE, *READER]
    sanitizers = "-fsanitize=address,undefined"
    return compile_program(
        Path(_folder.name, name), sources, f"-I{TREE}", "-g", sanitizers, "-fno-sanitize-recover=all")


def start_script(interpreter, script, *arguments):
    """Starts the interpreter on a script; its standard output is a pipe."""
    command = [*interpreters.enter_command(interpreter.root), interpreter.python, "-I", "-", *arguments]
    with open(script, "rb") as text:
        return subprocess.Popen(command, stdin=text, stdout=subprocess.PIPE, env=TARGET_ENVIRONMENT)
