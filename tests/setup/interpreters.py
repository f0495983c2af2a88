#!/usr/bin/env python3
"""The Pythons that the tests can use, and how to enter their roots.

As a command: prints what there is; --tap prints it as test results. As a module: find(),
find_one_each() and enter_command().
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from setup import roots  # noqa: E402

# The free-threaded builds that there may be, and whether the long set has to have it: a mirror may
# lack the source of what is not yet in a release.
FREE_THREADED = (("3.13", True), ("3.14", False), ("3.15", False))


@dataclass(frozen=True)
class Interpreter:
    """One Python. `version` is the full one ("3.13.5"), or as far as known ("3.13") if not found."""

    label: str
    version: str
    root: Optional[str]  # the folder that is its /, None for this machine's own
    python: str  # as seen from within its root; "" if not found
    required: bool  # not having it is a failure
    why_missing: str  # "" if found
    is_free_threaded: bool = False

    @property
    def is_found(self):
        return not self.why_missing

    @property
    def minor(self):
        return int(self.version.split(".")[1])


# --- Finding ---------------------------------------------------------------------------------------


def is_required_here():
    """CI must have the whole set, and root can make it."""
    return os.environ.get("CI") == "true" or os.geteuid() == 0


def ask(python, root=None):
    """(full version, path of the executable) of a Python, or None if it does not start."""
    question = "import os, platform as p, sys; print(p.python_version(), os.path.realpath(sys.executable))"
    command = [*enter_command(root), python, "-I", "-c", question]
    try:
        answer = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60, check=True
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(answer) if len(answer) == 2 else None


def find_required(version, suites):
    """The member of the set for a row of interpreters.txt."""
    required = is_required_here()
    root = roots.root_of(version, suites)
    if not root:
        label = f"debian-{suites[0]}-{version}"
        why = roots.why_impossible() or "its root is missing: run tests/setup/roots.py"
        return Interpreter(label, version, None, "", required, why)
    label = f"debian-{root.name}-{version}"
    python = f"/usr/bin/python{version}"
    if os.geteuid() != 0:
        return Interpreter(label, version, str(root), "", required, "entering its root needs root")
    answer = ask(python, str(root))
    if not answer:
        return Interpreter(label, version, str(root), "", required, f"{root}{python} does not start")
    return Interpreter(label, answer[0], str(root), answer[1], required, "")


def pyenv_folders():
    places = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]
    return [Path(place) / "versions" for place in places if place]


def find_own(minors):
    """This machine's own Pythons of the minor versions ("3.8", ...), one for each full version."""
    places = [("path", f"python{minor}") for minor in minors]
    for folder in pyenv_folders():
        places += [("pyenv", str(python)) for python in sorted(folder.glob("3.*/bin/python3"))]
    found = {}
    for origin, place in places:
        answer = ask(place) if shutil.which(place) else None
        if answer and minor_of(answer[0]) in minors:
            version, python = answer
            found.setdefault(version, Interpreter(f"{origin}-{version}", version, None, python, False, ""))
    return list(found.values())


def find_free_threaded(version, required):
    """What freethreaded.sh made of a version."""
    python = f"/opt/python{version}t/bin/python{version}t"
    root = next((r for r in sorted(roots.roots_folder().glob("*/")) if (r / python[1:]).exists()), None)
    answer = ask(python, str(root)) if root else None
    if not answer:
        why = f"{root}{python} does not start" if root else "not made: run tests/setup/freethreaded.sh"
        return Interpreter(f"debian-{version}t", version, None, "", required, why, True)
    return Interpreter(f"debian-{root.name}-{version}t", *answer[:1], str(root), answer[1], required, "", True)


def find_all_free_threaded(long):
    """The long set has to have some of them; else those count that are there."""
    found = [find_free_threaded(version, long and required and is_required_here())
             for version, required in FREE_THREADED]
    return [i for i in found if long or i.is_found]


def minor_of(version):
    return ".".join(version.split(".")[:2])


def in_order(interpreter):
    return [int(number) for number in re.findall(r"\d+", interpreter.version)]


@functools.lru_cache(maxsize=None)
def find_all(long):
    table = roots.read_table()
    interpreters = [find_required(version, suites) for version, suites in table if suites]
    interpreters += find_own([version for version, _ in table])
    known = {minor_of(i.version) for i in interpreters}
    for version in [v for v, _ in table if v not in known]:
        why = f"nobody has to have it, and neither PATH nor pyenv has a python{version}"
        interpreters.append(Interpreter(f"any-{version}", version, None, "", False, why))
    interpreters += find_all_free_threaded(long)
    return tuple(sorted(interpreters, key=in_order))


def find(long=None):
    """Every Python of the set and every other one that is here, oldest first, found or not.

    `long` adds what the long set should have; the default is what PYROMETER_LONG says.
    """
    return list(find_all(bool(os.environ.get("PYROMETER_LONG")) if long is None else long))


def find_one_each():
    """The found ones, one for each minor version and flavour, those of the set preferred."""
    chosen = {}
    for interpreter in sorted(find(), key=lambda i: i.root is None):
        if interpreter.is_found:
            chosen.setdefault((interpreter.minor, interpreter.is_free_threaded), interpreter)
    return sorted(chosen.values(), key=in_order)


# --- Entering --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def can_unshare():
    """Whether a process here may have mounts of its own."""
    command = ["unshare", "--mount", "--root", "/", "true"]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def enter_command(root):
    """The prefix of a command that is to run within `root`; it execs, so its pid is the command's.

    The command gets a mount namespace of its own, as in a container, where that can be had. /proc
    and the tree are not there: what it needs is to be copied into the root's /tmp.
    """
    if root is None:
        return []
    return ["unshare", "--mount", "--root", root] if can_unshare() else ["chroot", root]


# --- As a command ----------------------------------------------------------------------------------


def tap_line(number, interpreter):
    if interpreter.is_found:
        return f"ok {number} - {interpreter.label}"
    if interpreter.required:
        return f"not ok {number} - {interpreter.label} is required\n# {interpreter.why_missing}"
    return f"ok {number} - {interpreter.label} # SKIP {interpreter.why_missing}"


def print_tap(interpreters):
    print(f"1..{len(interpreters)}")
    for number, interpreter in enumerate(interpreters, 1):
        print(tap_line(number, interpreter))


def print_table(interpreters):
    for i in interpreters:
        where = f"{i.root or ''}{i.python}" if i.is_found else f"missing: {i.why_missing}"
        print(f"{i.label:<26} {i.version:<10} {'required' if i.required else '-':<9} {where}")


def main():
    interpreters = find()
    print_tap(interpreters) if "--tap" in sys.argv[1:] else print_table(interpreters)
    return 1 if any(i.required and not i.is_found for i in interpreters) else 0


if __name__ == "__main__":
    sys.exit(main())
