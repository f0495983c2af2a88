"""Forks children that live for a short while: short_children.py COUNT SECONDS FILE.

One at a time. FILE gets, as JSON, {PID: seconds that the child worked, by its own account}.
"""

import json
import os
import sys
import time


def work_of_child(seconds):
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        pass
    return time.monotonic() - begin


def live(seconds):
    """A child's whole life: (its PID, how long it worked)."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(into, b"%f" % work_of_child(seconds))
        os._exit(0)
    os.waitpid(pid, 0)
    worked = float(os.read(out, 100))
    os.close(out)
    os.close(into)
    return pid, worked


def main():
    count, seconds, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    lives = dict(live(seconds) for _ in range(count))
    with open(path, "w") as file:
        json.dump(lives, file)


if __name__ == "__main__":
    main()
