"""Tasks that each do one thing and wait in between: "cruncher" computes, "mender" computes in a handler,
"patient" waits in one. Asked (anything on standard input; its end ends us) it says for how long each
function has gone on, of all tasks, and on a CPU.
"""

import asyncio
import dis
import os
import sys
import time

from truth import has_input, ready, say

clock = time.perf_counter
cpu_clock = getattr(time, "thread_time", time.process_time)

spent = dict.fromkeys(("crunch", "mend", "rest", "recover"), 0.0)
used = dict.fromkeys(("crunch", "mend"), 0.0)


def compute(name, seconds):
    begin, begin_cpu = clock(), cpu_clock()
    while clock() < begin + seconds:
        pass
    spent[name] += clock() - begin
    used[name] += cpu_clock() - begin_cpu


def crunch():
    compute("crunch", 0.004)


def mend():
    compute("mend", 0.002)


async def rest(seconds):
    begin = clock()
    await asyncio.sleep(seconds)
    spent["rest"] += clock() - begin


async def recover():
    begin = clock()
    await asyncio.sleep(0.015)
    spent["recover"] += clock() - begin


async def cruncher():
    while True:
        crunch()
        await rest(0.010)


async def mender():
    while True:
        try:
            raise KeyError
        except KeyError:
            mend()
        await rest(0.010)


async def patient():
    while True:
        try:
            raise KeyError
        except KeyError:
            await recover()
        await rest(0.005)


def lines_by_offset(function):
    """{offset of an instruction: its line, or None}"""
    starts = dict(dis.findlinestarts(function.__code__))
    lines, line = {}, None
    for offset in range(0, len(function.__code__.co_code), 2):
        line = starts.get(offset, line)
        lines[offset] = line
    return lines


async def main():
    loop = asyncio.get_running_loop()
    tasks = []
    for function in (cruncher, mender, patient):
        tasks.append(loop.create_task(function()))
        tasks[-1].set_name(function.__name__)
    await asyncio.sleep(0.05)
    ready(lines={f.__name__: lines_by_offset(f) for f in (compute, asyncio.sleep)})
    start = clock()
    while True:
        if has_input():
            asked = os.read(0, 100)
            say("TRUTH", elapsed=clock() - start, spent=spent, used=used)
            if not asked:
                break
        await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
