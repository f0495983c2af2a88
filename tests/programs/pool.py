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


def rest(seconds):
    gevent.sleep(seconds)


def worker(number):
    while True:
        heavy() if number % 2 else light()
        rest(0.05)  #@ rest


def report():
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)
    say("TRUTH", spent=SPENT, elapsed=clock() - START)
    return bool(asked)


def listen():
    while not has_input() or report():
        gevent.sleep(0.001)


def main():
    pool = Pool(SIZE)
    for number in range(SIZE):
        pool.spawn(worker, number)
    gevent.sleep(0.1)
    ready()
    listen()


if __name__ == "__main__":
    START = clock()
    main()
