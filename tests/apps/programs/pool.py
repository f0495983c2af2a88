"""A pool of four processes of multiprocessing that always has work."""

import json
import multiprocessing
import os


def crunch(count):
    total = 0
    for number in range(count):
        total += number * number % 7
    return os.getpid()


def main():
    with multiprocessing.get_context("fork").Pool(4) as pool:
        first = pool.imap_unordered(crunch, [100_000] * 100)
        list(first)
        pids = [child.pid for child in multiprocessing.active_children()]
        print("READY", json.dumps({"workers": pids}), flush=True)
        while True:
            pool.map(crunch, [100_000] * 40, chunksize=1)


main()
