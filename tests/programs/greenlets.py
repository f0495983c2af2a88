"""Splits its own time by its own clock between greenlets of known stacks: three that work, each on a stack
of another depth, and a pair that does nothing but switch from one to the other.

Anything on standard input asks how it came out so far; its end ends us.
"""

import os
import time

from greenlet import getcurrent, greenlet

from truth import has_input, ready, say

clock = time.perf_counter
SHARES = {"shallow": 0.4, "middle": 0.2, "deep": 0.1, "volley": 0.2, "main": 0.1}
# The stacks that there are, root first; those of the main greenlet stand on this module's.
STACKS = [
    ["shallow", "take_turns", "grind"],
    ["middle", *["descend"] * 3, "take_turns", "grind"],
    ["deep", *["descend"] * 40, "take_turns", "grind"],
    ["ping", "hit"],
    ["pong", "step_back", "step_back", "hit_back"],
]


def grind(until):
    while clock() < until:
        pass


def take_turns(until):
    while True:
        grind(until)
        until = MAIN.switch()


def descend(levels, until):
    if levels > 1:
        descend(levels - 1, until)
    else:
        take_turns(until)


def shallow(until):
    take_turns(until)


def middle(until):
    descend(3, until)


def deep(until):
    descend(40, until)


def hit(until):
    while clock() < until:
        PONG.switch()


def ping(until):
    while True:
        hit(until)
        until = MAIN.switch()


def hit_back():
    while True:
        PING.switch()


def step_back(levels):
    if levels > 1:
        step_back(levels - 1)
    else:
        hit_back()


def pong():
    step_back(2)


MAIN = getcurrent()
PING = greenlet(ping)
PONG = greenlet(pong)
WHO = {"shallow": greenlet(shallow), "middle": greenlet(middle), "deep": greenlet(deep), "volley": PING}


def next_length(state):
    """The next state of a generator of numbers, and a length of 0.1 to 3 ms without a pattern."""
    state = (state * 1103515245 + 12345) % 2147483648
    return state, 0.0001 + 0.0029 * state / 2147483648


def split_time(spent):
    """Always lets work who is furthest behind its share."""
    state = 12345
    start = clock()
    while not has_input() or report(spent, clock() - start):
        state, length = next_length(state)
        begin = clock()
        name = max(SHARES, key=lambda n: SHARES[n] * (begin - start) - spent[n])
        if name == "main":
            grind(begin + length)
        else:
            WHO[name].switch(begin + length)
        spent[name] += clock() - begin


def report(spent, elapsed):
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)
    say("TRUTH", spent=spent, elapsed=elapsed)
    return bool(asked)


def main():
    ready(stacks=STACKS)
    split_time(dict.fromkeys(SHARES, 0.0))


if __name__ == "__main__":
    main()
