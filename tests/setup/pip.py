"""Python packages from the package index, into a folder of their own in the cache."""

import shutil
import subprocess
import sys


def install(folder, requirements):
    """Fills `folder`, or leaves it as it was; made under another name, so there is never half of one."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, "--target", str(fresh), *requirements], check=False)
    if done.returncode == 0:
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return done.returncode == 0
