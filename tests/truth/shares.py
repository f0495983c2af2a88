"""Spends half of its time in code that calls all the time, and half in code that never calls.

    shares.py [BOARD]

By its own clock: after every piece of work it goes on with what is behind. Prints READY as
calltree.py's programs do, and works until it is killed. BOARD is a file of 4096 bytes that gets, in
words of 8 bytes, the number of pieces done, and the nanoseconds spent in either half until now.
"""

import json
import mmap
import os
import sys
import time

clock = time.perf_counter_ns

ROUNDS, CALLS, LOOPS = 0, 1, 2
# The length of a piece: long against what a profiler may be kept waiting on a busy machine, or it
# would miss the ends of the pieces that keep it busy.
SHORTEST_NS, LONGEST_NS = 5_000_000, 20_000_000


def open_board():
    if len(sys.argv) < 2:
        return [0] * 3
    with open(sys.argv[1], "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def call_heavy(board, start, length):
    spent, now = board[CALLS], start
    while now < start + length:
        fibonacci(10)
        now = clock()
        board[CALLS] = spent + now - start


def call_free(board, start, length):
    spent, now = board[LOOPS], start
    while now < start + length:
        for _ in range(100):
            pass
        now = clock()
        board[LOOPS] = spent + now - start


def lengths():
    """Nanoseconds, without a pattern."""
    state = 12345
    while True:
        state = (state * 1103515245 + 12345) % 2147483648
        yield SHORTEST_NS + (LONGEST_NS - SHORTEST_NS) * state // 2147483648


def split_time(board):
    for length in lengths():
        if board[CALLS] <= board[LOOPS]:
            call_heavy(board, clock(), length)
        else:
            call_free(board, clock(), length)
        board[ROUNDS] += 1


if __name__ == "__main__":
    print("READY " + json.dumps({"pid": os.getpid(), "file": __file__}), flush=True)
    split_time(open_board())
