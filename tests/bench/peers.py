#!/usr/bin/env python3
"""Installs the profilers that `make bench` compares with from the package index into the cache.

As a module: executables(name), what there is of one. (Tachyon is a part of Python 3.15 and needs no
installing.)
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from setup import pip, roots  # noqa: E402

# (folder, what to install, the executable to be had of it). Later rows of one executable are for
# where the earlier do not start: Austin 4's wants a newer C library than older systems have.
PEERS = (
    ("py-spy", "py-spy", "py-spy"),
    ("austin", "austin-dist", "austin"),
    ("austin-3", "austin-dist<4", "austin"),
    ("austin-python", "austin-python", "mojo2austin"),  # turns what Austin 4 writes into text
)


def peers_folder():
    return roots.cache_folder() / "peers"


def executables(name):
    """[path] of the executables of this name, the preferred first."""
    paths = [peers_folder() / folder / "bin" / name for folder, _, executable in PEERS if executable == name]
    return [path for path in paths if path.exists()]


def environment_of(path):
    """An executable that is a Python script finds what it imports beside it."""
    return {**os.environ, "PYTHONPATH": str(path.parent.parent)}


def main():
    peers_folder().mkdir(parents=True, exist_ok=True)
    failed = []
    for folder, requirement, executable in PEERS:
        is_there = (peers_folder() / folder / "bin" / executable).exists()
        if not is_there and not pip.install(peers_folder() / folder, [requirement]):
            failed.append(requirement)
        else:
            print(f"peers: {requirement}: {peers_folder() / folder / 'bin' / executable}")
    for requirement in failed:
        print(f"peers: could not install {requirement}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
