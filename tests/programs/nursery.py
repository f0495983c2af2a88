"""Two of trio's tasks that work for their shares of the time, and its own account of what they spent.

Anything on standard input asks; its end ends us.
"""

import os
import time

import trio

from truth import has_input, ready, say

clock = time.perf_counter
SPENT = {"heavy": 0.0, "light": 0.0}


def grind(name, seconds):
    begin = clock()
    while clock() < begin + seconds:
        pass
    SPENT[name] += clock() - begin


async def step(name, seconds):
    grind(name, seconds)


async def heavy():
    while True:
        await step("heavy", 0.004)
        await trio.sleep(0)


async def light():
    while True:
        await step("light", 0.002)
        await trio.sleep(0)


def report():
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)
    say("TRUTH", spent=SPENT, elapsed=clock() - START)
    return bool(asked)


async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(heavy)
        nursery.start_soon(light)
        await trio.sleep(0.05)
        ready()
        while not has_input() or report():
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    START = clock()
    trio.run(main)
