"""Counts its beats in a file, for as long as it runs: beats.py THREADS FILE.

The first thread beats all the time, the others now and then. FILE holds one 64-bit word for each.
"""

import mmap
import sys
import threading
import time

from truth import ready


def beat(board, number):
    board[number] += 1


def beat_now_and_then(board, number):
    while True:
        beat(board, number)
        time.sleep(0.001)


def main():
    count = int(sys.argv[1])
    with open(sys.argv[2], "r+b") as file:
        board = memoryview(mmap.mmap(file.fileno(), 8 * count)).cast("Q")
    for number in range(1, count):
        threading.Thread(target=beat_now_and_then, args=(board, number), daemon=True).start()
    ready()
    while True:
        beat(board, 0)


if __name__ == "__main__":
    main()
