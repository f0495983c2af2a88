#!/usr/bin/env python3
"""pyrometer run: the command behaves as it would without us, and is seen from its start."""

import os
import signal
import stat
import sys

from harness import (
    TARGET_ENVIRONMENT, case, each_version, expect, expect_equal, expect_likely, expect_refusal,
    expect_status, functions_of, main, newest_here, parse_collapsed, three, wait_until)

SPIN = """
import sys, time
def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
"""


def expect_spin(path):
    """A command that works for some tenths of a second is missed only if we do not get to run."""
    expect_likely(path.exists() and functions_of(parse_collapsed(path))["spin"] > 0,
                  "no spin() in the profile")


def run_code(work, interpreter, code, *options, **popen):
    """Runs Python code under `run`: (Result, path of the collapsed file)."""
    path = work.out / "p.collapsed"
    command = work.command(interpreter, "-c", SPIN + code)
    return work.pyrometer("run", *options, "-o", path, "--", *command, **popen), path


# -- the exit status ----------------------------------------------------------------------------


@case(over=three)
def exit_status_is_passed_through(work, interpreter):
    for status in (0, 3, 255):
        result, path = run_code(work, interpreter, f"spin(0.3); sys.exit({status})")
        expect_status(result, status)
        expect_spin(path)
        work.expect_outputs("p.collapsed")


@case(over=three)
def signal_is_passed_through(work, interpreter):
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        result, path = run_code(
            work, interpreter, f"import os; spin(0.3); os.kill(os.getpid(), {int(number)})")
        expect_status(result, 128 + number)
        expect_spin(path)


@case(over=newest_here)
def exception_in_the_command(work, interpreter):
    result, path = run_code(work, interpreter, "spin(0.3); raise ValueError('its own words')")
    expect_status(result, 1)
    expect("ValueError: its own words" in result.err, "its standard error is not passed on")


@case(over=newest_here)
def very_short_command(work, interpreter):
    """It ends before anything can be seen: a status of its own counts, else that is ours (6)."""
    for status, wanted in ((0, (0, 6)), (4, (4,))):
        result = work.pyrometer(
            "run", "-r", "10", "-o", work.out / "p.collapsed", "--",
            interpreter.python, "-S", "-E", "-c", f"raise SystemExit({status})")
        expect(result.status in wanted, f"exit status {result.status}, wanted {wanted}", result.err)


@case()
def command_is_not_found(work):
    result = work.pyrometer("run", "--", "no-such-command-here", "argument")
    expect_refusal(result, 2, "no-such-command-here")
    result = work.pyrometer("run", "--", work.folder)
    expect_refusal(result, 2, str(work.folder))


@case()
def command_is_missing(work):
    expect_refusal(work.pyrometer("run"), 2, "command|COMMAND")
    expect_refusal(work.pyrometer("run", "--"), 2, "command|COMMAND")


@case()
def command_is_not_python(work):
    """Its status is passed on even so, and that it was no Python is said."""
    result = work.pyrometer("run", "-o", work.out / "p.collapsed", "--", "sh", "-c", "exit 9")
    expect_status(result, 9)
    expect(result.err.strip(), "not a word about it")
    work.expect_outputs()


@case(over=newest_here)
def folder_is_missing(work, interpreter):
    """Seen before the command is started."""
    witness = work.folder / "started"
    path = work.out / "not" / "there.collapsed"
    result = work.pyrometer(
        "run", "-o", path, "--", interpreter.python, "-c", f"open({str(witness)!r}, 'w')")
    expect_refusal(result, 7, str(path))
    expect(not witness.exists(), "the command was started")


# -- the command's surroundings -----------------------------------------------------------------


@case(over=three)
def duration_does_not_end_the_command(work, interpreter):
    code = "spin(1.5); print('still', 'here')"
    result, path = run_code(work, interpreter, code, "-d", "0.4")
    expect_status(result, 0)
    expect_equal(result.out, b"still here\n", "standard output")
    expect_spin(path)
    work.expect_outputs("p.collapsed")


@case(over=newest_here)
def input_and_output_are_untouched(work, interpreter):
    data = bytes(range(256)) * 1000
    given = work.folder / "given"
    given.write_bytes(data)
    code = "spin(0.2); sys.stdout.buffer.write(sys.stdin.buffer.read()); sys.stderr.write('<err>')"
    with open(given, "rb") as file:
        result, _ = run_code(work, interpreter, code, "-q", stdin=file)
    expect_status(result, 0)
    expect(result.out == data, f"standard output: {len(result.out)} bytes, {len(data)} were given")
    expect_equal(result.err, "<err>", "standard error with -q")


@case(over=newest_here)
def environment_and_descriptors_are_untouched(work, interpreter):
    """Nothing of ours leaks into the command: no variable, descriptor, ignored or blocked signal."""
    code = (
        "import json, os, re; status = open('/proc/self/status').read(); print(json.dumps(["
        "dict(os.environ), sorted(os.listdir('/proc/self/fd')), os.getpgrp() == os.getpid(), "
        "os.getcwd(), re.findall('(?:SigBlk|SigIgn):.*', status)]))")
    plain = work.profiler_of([interpreter.python, "-c", code], env=TARGET_ENVIRONMENT).finish()
    result = work.pyrometer(
        "run", "-q", "-o", work.out / "p.collapsed", "--", interpreter.python, "-c", code,
        env=TARGET_ENVIRONMENT)
    expect_status(plain, 0)
    expect_equal(result.out, plain.out, "what the command sees of its surroundings")


@case(over=newest_here)
def arguments_reach_the_script(work, interpreter):
    script = work.folder / "script with spaces.py"
    script.write_text(SPIN + "spin(0.2)\nprint(sys.argv[1:])\n")
    path = work.out / "p.collapsed"
    arguments = ["-o", "x", "--rate", "", "two words", "-d1", "--"]
    for separator in ([], ["--"]):
        result = work.pyrometer(
            "run", "-o", path, *separator, interpreter.python, script, *arguments)
        expect_status(result, 0)
        expect_equal(result.out.decode().strip(), repr(arguments), "arguments")


@case(over=newest_here)
def through_a_shell_script(work, interpreter):
    script = work.folder / "start.sh"
    script.write_text(
        f"#!/bin/sh\nsleep 0.3\nexec {interpreter.python} -c '{SPIN}spin(0.7); sys.exit(5)'\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    path = work.out / "p.collapsed"
    result = work.pyrometer("run", "-o", path, "--", script)
    expect_status(result, 5)
    expect_spin(path)


@case(over=newest_here)
def found_on_the_path(work, interpreter):
    (work.folder / "mypython").symlink_to(interpreter.python)
    environment = dict(os.environ, PATH=f"{work.folder}:{os.environ['PATH']}")
    result = work.pyrometer(
        "run", "-o", work.out / "p.collapsed", "mypython", "-c", SPIN + "spin(0.3)",
        env=environment)
    expect_status(result, 0)


@case(over=newest_here)
def record_is_another_spelling(work, interpreter):
    path = work.out / "p.collapsed"
    result = work.pyrometer(
        "record", "-o", path, "--", interpreter.python, "-c", SPIN + "spin(0.3); sys.exit(6)")
    expect_status(result, 6)
    expect_spin(path)


# -- what is seen -------------------------------------------------------------------------------


@case(over=each_version)
def start_up_is_seen(work, interpreter):
    """A module that `site` imports works for a while: the script has not begun by then."""
    outside, inside = work.within(interpreter)
    (outside / "sitecustomize.py").write_text(SPIN + "def early(): spin(0.5)\nearly()\n")
    path = work.out / "p.collapsed"
    command = work.command(interpreter, "-c", SPIN + "def late(): spin(0.5)\nlate()")
    result = work.pyrometer(
        "run", "-o", path, "--", *command, env=dict(TARGET_ENVIRONMENT, PYTHONPATH=str(inside)))
    expect_status(result, 0)
    lines = parse_collapsed(path)
    totals = functions_of(lines)
    report = [f"early {totals['early']}, late {totals['late']}", result.err]
    expect_likely(totals["late"] > 100, "the script is not in the profile:", *report)
    expect_likely(totals["early"] > 0.4 * totals["late"], "start-up is not in the profile:", *report)
    imports = [line for line in lines if any("importlib" in f.file for f in line.frames)]
    expect(imports, "no frame of the import system is in the profile")


@case(over=newest_here)
def interrupt_of_the_terminal(work, interpreter):
    """Ctrl-C reaches both: the command decides how it ends, and we write the profile."""
    ready = work.folder / "ready"
    code = SPIN + (
        f"try:\n    open({str(ready)!r}, 'w')\n    spin(600)\n"
        "except KeyboardInterrupt:\n    spin(0.3); sys.exit(7)\n")
    path = work.out / "p.collapsed"
    profiler = work.profiler(
        "run", "-o", path, "--", interpreter.python, "-c", code, start_new_session=True)
    wait_until(ready.exists, "the command to start")
    profiler.wait_until_it_samples()
    os.killpg(profiler.pid, signal.SIGINT)
    result = profiler.finish()
    expect_status(result, 7)
    expect_spin(path)
    work.expect_outputs("p.collapsed")


@case(over=newest_here)
def terminate_us(work, interpreter):
    """SIGTERM to us alone: every output is written, and the command goes on to its own end."""
    ready, go = work.folder / "ready", work.folder / "go"
    code = SPIN + (
        f"import os\nopen({str(ready)!r}, 'w')\nwhile not os.path.exists({str(go)!r}):\n    spin(0.1)\n"
        "print('own end')\nsys.exit(8)")
    path = work.out / "p.collapsed"
    profiler = work.profiler("run", "-o", path, "--", interpreter.python, "-c", code)
    wait_until(ready.exists, "the command to start")
    profiler.wait_until_it_samples()
    profiler.signal(signal.SIGTERM)
    wait_until(path.exists, "the profile")
    go.touch()
    result = profiler.finish()
    work.expect_outputs("p.collapsed")
    expect_spin(path)
    expect(result.status in (8, 128 + signal.SIGTERM), f"exit status {result.status}", result.err)
    expect_equal(result.out, b"own end\n", "what the command said after that")


if __name__ == "__main__":
    sys.exit(main())
