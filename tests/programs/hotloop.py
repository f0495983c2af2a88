"""Runs one loop for ever, and says at the start and at the end what its dis sees in it.

LISTING has `instructions` ([offset, opcode now, opcode as compiled]) of the function `hot`, and the
`loop`'s first and last offset in it. Ends when standard input is closed.
"""

import dis
import os
import sys
import threading
import time

from truth import ready, say

WARM_UP_ROUNDS = 1000


class Point:
    def __init__(self):
        self.x = 0
        self.rounds = 0


def hot(point, items):
    total = 0
    while True:
        for item in items:
            total = total + item * 3
            point.x = total
            if total > 100000:
                total = 0
        point.rounds += 1


def now(code):
    """The instructions as they are at this moment, specialised where there is such a thing."""
    return dis.get_instructions(code, **({"adaptive": True} if sys.version_info >= (3, 11) else {}))


def loop_of(instructions):
    jumps = [i for i in instructions if i.opcode in dis.hasjrel + dis.hasjabs and i.argval < i.offset]
    return [min(jump.argval for jump in jumps), max(jump.offset for jump in jumps)]


def tell(code):
    compiled = list(dis.get_instructions(code))
    say("LISTING", loop=loop_of(compiled),
        instructions=[[i.offset, i.opname, plain.opname] for i, plain in zip(now(code), compiled)])


def main():
    point = Point()
    threading.Thread(target=hot, args=(point, list(range(50))), daemon=True, name="hot").start()
    while point.rounds < WARM_UP_ROUNDS:
        time.sleep(0.01)
    ready()
    tell(hot.__code__)
    sys.stdin.read()
    tell(hot.__code__)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
