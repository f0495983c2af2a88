"""Tasks that wait again and again at one line, with nothing in between: asleep, for a queue, for a future.

When asked (a line on standard input) it does so for some seconds, and says of each of the lines marked
"sleep", "queue" and "future": how many waits there were, how long each took on average, the longest, the
95th percentile, how many at once.
"""

import asyncio
import os
import random
import sys
import time

from truth import lines_marked, ready, say

SECONDS = 3
TASKS = 4  # of each kind

clock = time.perf_counter


class Account:
    def __init__(self):
        self.waits = []
        self.now = 0
        self.most = 0

    def begin(self):
        self.now += 1
        self.most = max(self.most, self.now)
        return clock()

    def end(self, begin):
        self.now -= 1
        self.waits.append(clock() - begin)

    def told(self):
        waits = sorted(self.waits)
        return dict(waits=len(waits), mean=sum(waits) / len(waits), longest=waits[-1],
                    p95=waits[len(waits) * 95 // 100], most=self.most)


def some_time():
    return random.uniform(0.02, 0.06)


async def sleep_again(account, until):
    begin = account.begin()
    while clock() < until:
        await asyncio.sleep(some_time())  #@ sleep
        account.end(begin)
        begin = account.begin()
    account.now -= 1


async def get_again(account, until):
    queue = asyncio.Queue()
    loop = asyncio.get_running_loop()
    begin = account.begin()
    while clock() < until:
        loop.call_later(some_time(), queue.put_nowait, None)
        await queue.get()  #@ queue
        account.end(begin)
        begin = account.begin()
    account.now -= 1


async def await_again(account, until):
    loop = asyncio.get_running_loop()
    begin = account.begin()
    while clock() < until:
        answer = loop.create_future()
        loop.call_later(some_time(), answer.set_result, None)
        await answer  #@ future
        account.end(begin)
        begin = account.begin()
    account.now -= 1


KINDS = {"sleep": sleep_again, "queue": get_again, "future": await_again}


async def main():
    loop = asyncio.get_running_loop()
    ready(lines=lines_marked(__file__))
    await loop.run_in_executor(None, os.read, 0, 100)
    accounts = {kind: Account() for kind in KINDS}
    until = clock() + SECONDS
    await asyncio.gather(*[KINDS[kind](accounts[kind], until) for kind in KINDS for _ in range(TASKS)])
    say("DONE", **{kind: account.told() for kind, account in accounts.items()})
    await loop.run_in_executor(None, os.read, 0, 100)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
