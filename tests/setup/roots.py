#!/usr/bin/env python3
"""Brings the Debian releases of interpreters.txt as root folders into the cache.

Each root is made under another name and renamed when complete, so there is never half a root.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

TABLE = Path(__file__).with_name("interpreters.txt")
# How often each archive is asked: connections break.
TRIES = 2
SCRIPTS = Path("/usr/share/debootstrap/scripts")
# What live tests profile programs of; a release has them for its default Python, or lacks some.
LIBRARIES = ("python3-greenlet", "python3-gevent", "python3-trio", "python3-uvloop")


def cache_folder():
    """Where we keep what takes long to make; outside the tree."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("PYROMETER_CACHE") or os.path.join(base, "pyrometer"))


def roots_folder():
    return cache_folder() / "roots"


def read_table():
    """[(version, [suite, ...])], oldest first; no suites: not required."""
    rows = (line.split() for line in TABLE.read_text().splitlines() if line and line[0] != "#")
    return [(version, [s for s in suites if s != "-"]) for version, *suites in rows]


def has_version(root, version):
    """Whether `root` holds this Python with its headers."""
    return (root / f"usr/bin/python{version}").exists() and (
        root / f"usr/include/python{version}/Python.h"
    ).exists()


def root_of(version, suites):
    """The first root of `suites` that is there and has `version`, or None."""
    roots = (roots_folder() / suite for suite in suites)
    return next((root for root in roots if has_version(root, version)), None)


def mirrors():
    """The archives apt is configured with, in its order; those for security updates are no use."""
    command = ["apt-get", "--print-uris", "update"]
    uris = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.findall(r"^'(\S+)/dists/\S+/InRelease'", uris, re.MULTILINE)
    return [uri for uri in dict.fromkeys(found) if not uri.endswith("-security")]


def proxy_environment():
    """apt may reach the archive through a proxy that only apt was told of."""
    command = ["apt-config", "shell", "proxy", "Acquire::http::Proxy"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    match = re.match(r"proxy='(\S+)'", answer)
    return {"http_proxy": match[1], **os.environ} if match else dict(os.environ)


def apart():
    """A command prefix: when we end, however that is, so do the command's processes and mounts."""
    prefix = ["setpriv", "--pdeathsig", "KILL"]
    prefix += ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    works = subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return prefix if works else []


def debootstrap(mirror, suite, versions, root, log):
    """Returns the exit status, and what debootstrap said goes to `log`."""
    packages = [name for v in versions for name in (f"python{v}", f"libpython{v}-dev")]
    command = ["debootstrap", "--variant=minbase", "--include=" + ",".join(packages)]
    command += [suite, str(root), mirror]
    # A debootstrap older than the release has no script for it; all later ones are made as sid is.
    if not (SCRIPTS / suite).exists():
        command.append(str(SCRIPTS / "sid"))
    with open(log, "w", encoding="utf-8") as out:
        return subprocess.run(
            [*apart(), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**proxy_environment(), "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        ).returncode


def absent_packages(log):
    """The packages that debootstrap could not find in the release."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return {name for names in re.findall(r"find these debs: (.*)", text) for name in names.split()}


def fill(root, suite, versions, log):
    """Makes `root` with those of `versions` that the release has; says whether that worked."""
    for mirror in mirrors() * TRIES:
        wanted = list(versions)
        while wanted:
            shutil.rmtree(root, ignore_errors=True)
            if debootstrap(mirror, suite, wanted, root, log) == 0:
                return True
            absent = absent_packages(log)
            left = [v for v in wanted if not absent & {f"python{v}", f"libpython{v}-dev"}]
            if left == wanted:
                break
            wanted = left
    return False


def make_root(suite, versions):
    """Makes the root of `suite` anew. Returns an explanation, "" if it worked."""
    folder = roots_folder()
    fresh, log = folder / f"{suite}.new", folder / f"{suite}.log"
    print(f"roots: making {suite} for Python {', '.join(versions)} in {folder}", flush=True)
    try:
        if not fill(fresh, suite, versions, log):
            tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
            return f"debootstrap of {suite} failed, see {log}: " + " / ".join(tail)
        shutil.rmtree(fresh / "var/cache/apt/archives", ignore_errors=True)
        shutil.rmtree(folder / suite, ignore_errors=True)
        fresh.rename(folder / suite)
        return ""
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def run_within(root, *command):
    """Runs a command that reaches the archive with `root` as its /; returns what it printed, or None."""
    environment = {**proxy_environment(), "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run([*apart(), "chroot", str(root), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=environment, check=False)
    return done.stdout if done.returncode == 0 else None


def add_libraries(root):
    """Installs the libraries that the release has, unless that was done. Returns an explanation, "" if it worked."""
    note = root / "var/lib/pyrometer-libraries"
    wanted = " ".join(LIBRARIES)
    if note.exists() and note.read_text() == wanted:
        return ""
    print(f"roots: installing {wanted} in {root}", flush=True)
    # As debootstrap does: an archive's list may be older than it says that it may be.
    if run_within(root, "apt-get", "-q", "-o", "Acquire::Check-Valid-Until=false", "update") is None:
        return "its archive is out of reach"
    absent = []
    for package in LIBRARIES:
        install = ("apt-get", "-q", "-y", "--no-install-recommends", "install", package)
        if run_within(root, "apt-cache", "show", package) is None:
            absent.append(package)
        elif run_within(root, *install) is None:
            return f"{package} could not be installed"
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    note.write_text(wanted)
    return f"the release has no {', '.join(absent)}" if absent else ""


def keep_starts_plain(root):
    """Some libraries want code run at every start of Python, which no test is to see; none of them needs it."""
    for path in root.glob("usr/lib/python3/dist-packages/*-nspkg.pth"):
        path.unlink()


def add_all_libraries():
    """In all roots; whoever lacks one is told, and its tests are skipped."""
    for suite in dict.fromkeys(suite for _, suites in read_table() for suite in suites):
        root = roots_folder() / suite
        why = add_libraries(root) if root.exists() else ""
        keep_starts_plain(root)
        if why:
            print(f"roots: not all libraries in {suite}: {why}", file=sys.stderr)


@contextmanager
def locked(folder):
    """One at a time: two runs must not make the same root."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def why_impossible():
    """Why this machine cannot make roots; "" if it can."""
    if os.geteuid() != 0:
        return "making a Debian root needs root"
    for command in ("debootstrap", "apt-get"):
        if not shutil.which(command):
            return f"making a Debian root needs {command}"
    return ""


def bring(table):
    """Makes the roots that are missing. Returns explanations by version."""
    missing = {v: list(suites) for v, suites in table if suites and not root_of(v, suites)}
    if not missing:
        return {}
    why = why_impossible()
    if why:
        return dict.fromkeys(missing, why)
    explanations = {}
    while any(missing.values()):
        suite = next(suites[0] for suites in missing.values() if suites)
        # A root is made anew as a whole: also for the versions that the present one has already.
        versions = [v for v, suites in table if suite in suites and root_of(v, suites) in
                    (None, roots_folder() / suite)]
        why = make_root(suite, versions)
        for version in [v for v, suites in missing.items() if suites and suites[0] == suite]:
            missing[version].pop(0)
            if root_of(version, [suite]):
                del missing[version]
                explanations.pop(version, None)
            else:
                explanations[version] = why or f"{suite} has no python{version}"
    return explanations


def main():
    # Ended by a signal or not, `finally` cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if why_impossible():
        explanations = bring(read_table())
    else:
        with locked(roots_folder()):
            explanations = bring(read_table())
            add_all_libraries()
    for version, why in explanations.items():
        print(f"roots: no Python {version}: {why}", file=sys.stderr)
    return 1 if explanations and not why_impossible() else 0


if __name__ == "__main__":
    sys.exit(main())
