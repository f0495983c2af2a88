#!/usr/bin/env python3
"""Installs the programs that tests/apps profiles from the package index into the cache: packages.py [NAME...]

As a module: folder_of(name), where one is; environment_of(name), in which its programs find it.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from setup import pip, roots  # noqa: E402

PACKAGES = {
    "numpy": ["numpy"],
    "numba": ["numba"],
    "fastapi": ["fastapi", "uvicorn"],
    "django": ["django", "gunicorn"],
    "celery": ["celery"],
    "torch": ["torch"],
}
# Installed only when named: gigabytes, for the graphics cards' libraries that come along.
BIG = {"torch"}


def folder_of(name):
    """What is compiled is so for one version of Python."""
    return roots.cache_folder() / "apps" / f"{name}-{sys.implementation.cache_tag}"


def environment_of(name):
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **one_thread, "PYTHONPATH": str(folder_of(name)), "PYTHONDONTWRITEBYTECODE": "1"}


def main():
    wanted = sys.argv[1:] or [name for name in PACKAGES if name not in BIG]
    unknown = [name for name in wanted if name not in PACKAGES]
    if unknown:
        sys.exit(f"apps: unknown: {' '.join(unknown)}; there are {' '.join(PACKAGES)}")
    failed = []
    for name in wanted:
        folder = folder_of(name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists() and not pip.install(folder, PACKAGES[name]):
            failed.append(name)
        else:
            print(f"apps: {name}: {folder}")
    for name in failed:
        print(f"apps: could not install {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
