#!/usr/bin/env python3
"""Targets in other namespaces, and targets whose files are gone or oddly named."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from harness import (
    NEW_PIDS, PYROMETER, TARGET_ENVIRONMENT, Skip, case, children_of, each_version, every, expect,
    expect_equal, expect_status, functions_of, main, need_pid_namespaces, need_root, newest_here,
    parse_collapsed, private_mounts, three, wait_until, wait_until_asleep)


def names_within(pid):
    """{tid in the innermost namespace: tid here} of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        numbers = re.search(r"^NSpid:\s*(.*)$", (task / "status").read_text(), re.MULTILINE)
        found[int(numbers[1].split()[-1])] = int(task.name)
    return found


def shown(frames):
    return [(f["function"], f["file"], f["line"]) for f in frames]


@case(over=three)
def other_pid_namespace(work, interpreter):
    """The target counts its threads from 1; we show them by the ids that hold here."""
    need_pid_namespaces()
    command = work.command(interpreter, "stacks.py")
    unshare = work.target_of([*NEW_PIDS, *command])
    [pid] = children_of(unshare.pid)
    wait_until_asleep(pid)
    expect_equal(unshare.facts["pid"], 1, "pid of the target in its namespace")
    here = names_within(pid)

    result = work.pyrometer("dump", "--json", pid)
    expect_status(result, 0)
    dump = json.loads(result.out)
    found = {t["tid"]: (t["name"], shown(t["frames"])) for t in dump["threads"] if t["name"]}
    truth = {
        here[t["tid"]]: (t["name"], shown(t["frames"]))
        for t in unshare.facts["threads"] if t["name"]}
    missing = {tid: row for tid, row in truth.items() if found.get(tid) != row}
    expect(not missing, f"{len(missing)} threads are wrong, such as",
           *[f"{tid}: found {found.get(tid)}, wanted {row}" for tid, row in list(missing.items())[:3]])
    expect_equal({t["tid"] for t in dump["threads"]}, set(here.values()), "tids")

    path = work.out / "p.collapsed"
    expect_status(work.pyrometer("attach", pid, "-r", "50", "-d", "0.5", "-o", path), 0)
    lines = parse_collapsed(path)
    expect_equal({line.tid for line in lines}, set(here.values()), "tids in the profile")
    expect_equal({line.pid for line in lines}, {pid}, "pids in the profile")


@case(over=newest_here)
def both_in_a_pid_namespace(work, interpreter):
    """Within one container: the ids are those of the container."""
    need_pid_namespaces()
    path = work.out / "p.collapsed"
    script = f'"$1" "$2" <"$3" & read go <"$4"; {PYROMETER} attach $! -r 50 -d 0.5 -o {path}; ' \
        f"status=$?; echo END $status; exit $status"
    held, go = work.folder / "held", work.folder / "go"
    os.mkfifo(held)
    os.mkfifo(go)
    target = work.target_of(
        [*NEW_PIDS, "sh", "-c", script, "sh", interpreter.python,
         work.programs(None) / "stacks.py", held, go], word=None)
    with open(held, "wb"):
        target.facts = target.hear("READY")
        go.write_text("go\n")
        wait_until(path.exists, "the profile")
    expect_equal(target.wait(), 0, "exit status of pyrometer")
    lines = parse_collapsed(path)
    expect_equal({line.tid for line in lines}, {t["tid"] for t in target.facts["threads"]}, "tids")


@case(over=newest_here)
def run_into_a_pid_namespace(work, interpreter):
    """What is run forks into a namespace: the status comes through, whatever can be seen."""
    need_pid_namespaces()
    result = work.pyrometer(
        "run", "-o", work.out / "p.collapsed", "--", *NEW_PIDS, interpreter.python, "-c",
        "raise SystemExit(4)")
    expect_status(result, 4)


@case(over=newest_here)
def other_mount_namespace(work, interpreter):
    """In the target's view other files lie under the names of its own: we must not read those."""
    need_root()
    python = Path(interpreter.python)
    script = 'mount -t tmpfs none "$1" && mkdir -p "$1/bin" "$1/lib" && cp -a "$2/." "$1/" && ' \
        'shift 2 && exec "$@"'
    hidden = work.folder / "prefix"
    hidden.mkdir()
    (hidden / "bin").mkdir()
    (hidden / "bin" / python.name).write_bytes(b"not an ELF file, seen from outside")
    environment = dict(TARGET_ENVIRONMENT, LD_LIBRARY_PATH=str(hidden / "lib"))
    target = work.target_of(
        [*private_mounts(), "sh", "-c", script, "sh", hidden,
         python.parent.parent, hidden / "bin" / python.name, work.programs(None) / "puppet.py"],
        env=environment)
    expect("prefix/bin" in os.readlink(f"/proc/{target.pid}/exe"), "not the copy is running")
    expect_spinning(work, target)


# -- copies of the interpreter ------------------------------------------------------------------


def library_of(interpreter):
    """The shared library of Python, as we call it, or None."""
    prefix = Path((interpreter.root or "") + interpreter.python).parent.parent
    libraries = sorted((prefix / "lib").glob(f"libpython3.{interpreter.minor}*.so.*"))
    return next((library for library in libraries if library.is_file()), None)


def copied(work, interpreter, name):
    """Copies executable and library under a name: (paths as we call them, command, environment)."""
    outside, inside = work.within(interpreter)
    folder = outside / "copy"
    folder.mkdir()
    files = [folder / name]
    shutil.copy((interpreter.root or "") + interpreter.python, files[0])
    library = library_of(interpreter)
    if library:
        files.append(folder / library.name)
        shutil.copy(library, files[1])
    environment = dict(
        TARGET_ENVIRONMENT, LD_LIBRARY_PATH=str(inside / "copy"),
        PYTHONHOME=str(Path(interpreter.python).parent.parent))
    command = work.command(interpreter, "puppet.py")
    command[-2] = str(inside / "copy" / name)
    return files, command, environment


def expect_spinning(work, target):
    path = work.out / "p.collapsed"
    expect_status(work.pyrometer("attach", target.pid, "-r", "200", "-d", "0.7", "-o", path), 0)
    totals = functions_of(parse_collapsed(path))
    expect(totals["spin"] > 0 and totals["<module>"] > 0, f"not what it does: {totals}")
    result = work.pyrometer("dump", target.pid)
    expect_status(result, 0)
    expect("spin" in result.out.decode(), f"not what it does: {result.out!r}")


@case(over=every)
def files_are_deleted(work, interpreter):
    """As after an upgrade of the package: executable and library are gone."""
    files, command, environment = copied(work, interpreter, "python3")
    target = work.target_of(command, env=environment)
    maps = Path(f"/proc/{target.pid}/maps").read_text()
    for file in files:
        expect(f"copy/{file.name}" in maps, f"{file.name} is not used by the target")
        file.unlink()
    expect("(deleted)" in Path(f"/proc/{target.pid}/maps").read_text(), "nothing is deleted")
    expect_spinning(work, target)


@case(over=three)
def files_are_replaced(work, interpreter):
    """As after an upgrade of the package: other files lie under their names."""
    files, command, environment = copied(work, interpreter, "python3")
    target = work.target_of(command, env=environment)
    for file in files:
        file.unlink()
        shutil.copy("/bin/sh", file)
    expect_spinning(work, target)


@case(over=each_version)
def not_named_python(work, interpreter):
    _, command, environment = copied(work, interpreter, "my app (1)")
    target = work.target_of(command, env=environment)
    expect_spinning(work, target)
    [head] = {line.process for line in parse_collapsed(work.out / "p.collapsed")}
    expect_equal(head, "my app (1)", "name of the process")


@case(over=newest_here)
def spaces_and_newlines_in_the_path(work, interpreter):
    """/proc/PID/maps escapes newlines: the file must be found all the same."""
    folder = work.folder / "with space\nand line (deleted)"
    folder.mkdir()
    files, command, environment = copied(work, interpreter, "python3")
    for file in files:
        shutil.move(file, folder / file.name)
    command[-2] = str(folder / "python3")
    environment["LD_LIBRARY_PATH"] = str(folder)
    expect_spinning(work, work.target_of(command, env=environment))


@case(over=newest_here)
def stripped(work, interpreter):
    """Without a symbol table or section headers."""
    if not shutil.which("strip"):
        raise Skip("needs strip")
    files, command, environment = copied(work, interpreter, "python3")
    for file in files:
        subprocess.run(["strip", "--strip-all", file], check=True)
    expect_spinning(work, work.target_of(command, env=environment))


if __name__ == "__main__":
    sys.exit(main())
