"""Spins until it is told what to do: one JSON list at a time on standard input.

["exit", STATUS]       end
["finalise", SECONDS]  say "FINALISING" and end, slow in the interpreter's finalisation
["exec", [ARG...]]     become another program
["fork", SECONDS]      leave a child that spins so long, and go on
["churn", SECONDS]     start and end threads all the time for so long, and go on
["load", SECONDS]      run ever new code for so long, and go on
Ends when standard input is closed. Each order is acknowledged with "DONE" when it has been done.
"""

import atexit
import json
import os
import select
import sys
import threading
import time

from truth import ready, say

clock = time.perf_counter


def spin(until):
    while clock() < until:
        pass


def spin_a_while():
    spin(clock() + 0.005)


def wait_for_order():
    while not select.select([0], [], [], 0)[0]:
        spin_a_while()
    return os.read(0, 65536).decode()


class SlowToDie:
    """Its finaliser runs when the modules are torn down, and takes its time."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.clock = clock

    def __del__(self):
        until = self.clock() + self.seconds
        while self.clock() < until:
            pass


def end(status):
    sys.exit(status)


def end_slowly(seconds):
    say("FINALISING")
    spin(clock() + seconds)


def finalise(seconds):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    atexit.register(end_slowly, seconds / 2)
    sys.slow_to_die = SlowToDie(seconds / 2)
    sys.exit(0)


def become(arguments):
    os.execv(arguments[0], arguments)


def fork(seconds):
    child = os.fork()
    if child == 0:
        spin(clock() + seconds)
        os._exit(0)
    say("CHILD", pid=child)


def churn(seconds):
    until = clock() + seconds
    made = []
    while clock() < until:
        threads = [
            threading.Thread(target=time.sleep, args=(0.001 * n,), name="churn-%d" % n)
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made += [[thread.name, thread.native_id] for thread in threads]
    say("CHURNED", threads=made)


def load(seconds):
    until = clock() + seconds
    count = 0
    while clock() < until:
        source = "def made_%d(until):\n    spin(until)\nmade_%d(until)" % (count, count)
        exec(
            compile(source, "made-%d.py" % count, "exec"),
            {"spin": spin, "until": clock() + 0.002},
        )
        count += 1
    say("LOADED", functions=count)


ORDERS = {
    "exit": end, "finalise": finalise, "exec": become, "fork": fork, "churn": churn, "load": load}


def main():
    ready()
    while True:
        line = wait_for_order()
        if not line:
            return
        order, argument = json.loads(line)
        ORDERS[order](argument)
        say("DONE", order=order)


if __name__ == "__main__":
    main()
