"""Splits its own time between hot() and cold() by its own clock: split.py SHARE_OF_HOT SECONDS."""

import sys
import time

clock = time.perf_counter


def hot(until):
    while clock() < until:
        pass


def cold(until):
    while clock() < until:
        pass


def main(share, seconds):
    """Always does what is behind its share, for lengths without a pattern."""
    begin, spent, state = clock(), 0.0, 12345
    now = begin
    while now < begin + seconds:
        state = (state * 1103515245 + 12345) % 2147483648
        work = hot if spent <= share * (now - begin) else cold
        work(now + 0.002 + 0.006 * state / 2147483648)
        end = clock()
        spent += (end - now) if work is hot else 0
        now = end


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
