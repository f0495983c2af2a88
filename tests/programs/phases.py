"""Works in one function, then in another, turn by turn, and says at the end when it changed over.

phases.py SECONDS: the length of a turn. Times are CLOCK_MONOTONIC. Another thread stands still, and
a third comes and goes with every turn. Ends when standard input is closed.
"""

import sys
import threading
import time

from truth import has_input, ready, say

clock = time.monotonic


def red(until):
    while clock() < until:
        pass


def blue(until):
    while clock() < until:
        pass


def standing(event):
    event.wait()


def short_lived(seconds):
    time.sleep(seconds)


def main():
    length = float(sys.argv[1])
    event = threading.Event()
    threading.Thread(target=standing, args=(event,), name="standing", daemon=True).start()
    ready()
    turns = []
    while not has_input():
        for phase in (red, blue):
            visitor = threading.Thread(target=short_lived, args=(length / 4,), name="visitor")
            visitor.start()
            start = clock()
            phase(start + length)
            turns.append([phase.__name__, start, clock()])
            visitor.join()
    say("TRUTH", turns=turns)


if __name__ == "__main__":
    main()
