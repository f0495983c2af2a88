"""A pool of gevent's greenlets that work and sleep, and its own account of what it spent on what.

Anything on standard input asks; its end ends us.
"""

import os
import time

import gevent
from gevent.pool import Pool

from truth import has_input, ready, say

clock = time.perf_counter
SPENT = {"heavy": 0.0, "light": 0.0}
RESTED = [0.0]  # all workers together
RESTING = {}  # since when, by worker
SIZE = 20


def grind(name, seconds):
    begin = clock()
    while clock() < begin + seconds:
        pass
    SPENT[name] += clock() - begin


def heavy():
    grind("heavy", 0.002)


def light():
    grind("light", 0.001)


def rest(number, seconds):
    RESTING[number] = clock()
    gevent.sleep(seconds)
    RESTED[0] += clock() - RESTING.pop(number)


def worker(number):
    while True:
        heavy() if number % 2 else light()
        rest(number, 0.05)


def report():
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)
    now = clock()
    rested = RESTED[0] + sum(now - begin for begin in RESTING.values())
    say("TRUTH", spent=SPENT, rested=rested, elapsed=now - START)
    return bool(asked)


def listen():
    while not has_input() or report():
        gevent.sleep(0.001)


def main():
    pool = Pool(SIZE)
    for number in range(SIZE):
        pool.spawn(worker, number)
    gevent.sleep(0.1)
    ready(size=SIZE)
    listen()


if __name__ == "__main__":
    START = clock()
    main()
