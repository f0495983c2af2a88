"""Splits its own time by its own clock: 48/24/8 % between three tasks, each of which another one
waits for, 10 % in a callback, and 10 % waiting; and says when asked how it came out so far.

Anything on standard input asks; its end ends us. With an argument it runs on that event loop's module.
"""

import asyncio
import importlib
import os
import sys
import time

from truth import has_input, ready, say

clock = time.perf_counter
SHARES = {"heavy": 0.48, "middle": 0.24, "light": 0.08, "callback": 0.10, "idle": 0.10}


def grind(until):
    while clock() < until:
        pass


class Board:
    """Whose turn it is, and what was spent."""

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.spent = dict.fromkeys(SHARES, 0.0)
        self.turn = {}  # by name: the future that the worker waits for
        self.over = None

    def work(self, name, until):
        begin = clock()
        grind(until)
        self.spent[name] += clock() - begin
        self.over.set_result(None)


async def step(board, name, until):
    board.work(name, until)


async def worker(board, name):
    while True:
        board.turn[name] = board.loop.create_future()
        await step(board, name, await board.turn[name])


async def waiter(board, name):
    task = board.loop.create_task(worker(board, name))
    task.set_name(name)
    await task


async def idle(board, until):
    begin = clock()
    await asyncio.sleep(until - begin)
    board.spent["idle"] += clock() - begin


def next_length(state):
    """The next state of a generator of numbers, and a length of 2 to 8 ms without a pattern."""
    state = (state * 1103515245 + 12345) % 2147483648
    return state, 0.002 + 0.006 * state / 2147483648


async def give_turn(board, name, until):
    board.over = board.loop.create_future()
    if name == "callback":
        board.loop.call_soon(board.work, name, until)
    else:
        board.turn[name].set_result(until)
    await board.over


async def split_time(board):
    """Always does the work that is furthest behind its share."""
    state = 12345
    start = clock()
    while not has_input() or report(board, clock() - start):
        state, length = next_length(state)
        now = clock()
        name = max(SHARES, key=lambda n: SHARES[n] * (now - start) - board.spent[n])
        if name == "idle":
            await idle(board, now + length)
        else:
            await give_turn(board, name, now + length)


def report(board, elapsed):
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)
    say("TRUTH", spent=board.spent, elapsed=elapsed)
    return bool(asked)


async def main():
    board = Board()
    waiters = [board.loop.create_task(waiter(board, name)) for name in ("heavy", "middle", "light")]
    await asyncio.sleep(0.01)
    ready()
    await split_time(board)
    for task in waiters:
        task.cancel()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        importlib.import_module(sys.argv[1]).install()
    asyncio.run(main())
