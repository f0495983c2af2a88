"""Forks children that wait alike, and one that does not: herd.py COUNT.

READY has {"odd": PID, "waiting": [PID, ...]}. They end with the process itself.
"""

import ctypes
import os
import signal
import sys

from truth import ready

PR_SET_PDEATHSIG = 1


def wait_alike(end):
    os.read(end, 1)


def wait_oddly(end):
    os.read(end, 1)


def fork_one(wait):
    """The PID of a child that is about to wait, for what will never come."""
    never, told = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.write(told[1], b"!")
        wait(never[0])
    os.read(told[0], 1)
    return pid


def main():
    waiting = [fork_one(wait_alike) for _ in range(int(sys.argv[1]))]
    odd = fork_one(wait_oddly)
    ready(odd=odd, waiting=waiting)
    sys.stdin.read()


if __name__ == "__main__":
    main()
