"""One thread holds the GIL for most of the time, in one function; three others want it all along.

Each of those says how long it has waited while the first one held it: from when it would have gone on
to when it could, as far as that was held. Anything on standard input asks; its end ends us. With an
argument each of them is a task of asyncio, in a loop of its own.
"""

import asyncio
import collections
import ctypes
import os
import sys
import threading
import time

from truth import has_input, ready, say

clock = time.perf_counter

NAP = 0.0003  # of those who wait, in between
REST = 0.2  # part of the time in which the holder lets others in
LENGTH = 400000  # numbers to add, in one call of C code that never lets go

held = collections.deque(maxlen=200)  # when the GIL was held: (from, to), the newest last
since = None  # from when it is held now
waited = {}


def hold():
    return sum(range(LENGTH))


def hold_often():
    global since
    while True:
        start = since = clock()
        hold()
        end = clock()
        held.append((start, end))
        since = None
        time.sleep((end - start) * REST / (1 - REST))


def held_between(start, end):
    """The holder may have let go before it could note that it has."""
    total = max(0.0, end - max(start, since)) if since is not None else 0.0
    for from_time, to_time in reversed(list(held)):  # the list is made in one go
        if to_time <= start:
            break
        total += max(0.0, min(end, to_time) - max(start, from_time))
    return total


def want(name):
    while True:
        start = clock()
        time.sleep(NAP)
        end = clock()
        waited[name] += held_between(start + NAP, end)


def want_in_a_task(name):
    async def be_task():
        asyncio.current_task().set_name(name)
        want(name)

    asyncio.new_event_loop().run_until_complete(be_task())


def be_woken_in_time():
    """By default the kernel lets threads sleep 50 us longer, to save power; that is no wait for the GIL."""
    ctypes.CDLL(None).prctl(29, 1)  # PR_SET_TIMERSLACK, of this thread and of those that it starts


def main():
    be_woken_in_time()
    names = [f"waiter-{number}" for number in range(3)]
    waited.update(dict.fromkeys(names, 0.0))
    threads = [threading.Thread(target=hold_often, name="holder")]
    target = want_in_a_task if len(sys.argv) > 1 else want
    threads += [threading.Thread(target=target, name=name, args=(name,)) for name in names]
    for thread in threads:
        thread.daemon = True
        thread.start()
    ready(tids={thread.name: thread.native_id for thread in threads})
    start = clock()
    while True:
        if has_input():
            asked = os.read(0, 100)
            say("TRUTH", elapsed=clock() - start, waited=waited)
            if not asked:
                return
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
