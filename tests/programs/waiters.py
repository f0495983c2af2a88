"""Four tasks: boss waits for rester, which waits for what never comes; getter waits for a queue; hopper works."""

import asyncio

from truth import ready


async def rest():
    await asyncio.get_running_loop().create_future()


async def fetch(queue):
    await queue.get()


async def hop():
    while True:
        for _ in range(20000):
            pass
        await asyncio.sleep(0)


def named(coroutine, name):
    task = asyncio.ensure_future(coroutine)
    task.set_name(name)
    return task


async def main():
    asyncio.current_task().set_name("boss")
    others = named(fetch(asyncio.Queue()), "getter"), named(hop(), "hopper")
    ready(others=len(others))
    await named(rest(), "rester")


asyncio.run(main())
