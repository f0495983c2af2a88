"""Two tasks that wait for each other, one that is busy, and a loop in a second thread.

Says READY.
"""

import asyncio
import threading

from truth import ready


async def waits_for(tasks, index):
    await asyncio.sleep(0)
    await tasks[index]


async def busy_at_times():
    while True:
        sum(range(20000))
        await asyncio.sleep(0)


async def waits_elsewhere(is_there):
    asyncio.current_task().set_name("elsewhere")
    is_there.set()
    await asyncio.get_running_loop().create_future()


async def main():
    loop = asyncio.get_running_loop()
    tasks = []
    for i in range(2):
        tasks.append(loop.create_task(waits_for(tasks, 1 - i)))
        tasks[i].set_name("circle %d" % i)
    busy = loop.create_task(busy_at_times())
    busy.set_name("busy")
    is_there = threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.new_event_loop().run_until_complete(waits_elsewhere(is_there)),
        daemon=True)
    thread.start()
    is_there.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    ready()
    await busy


asyncio.run(main())
