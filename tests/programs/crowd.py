"""Tasks that wait: of every six one at the line marked "one", two at "two" and three at "three"; as many
as the argument says. While they wait the loop goes round."""

import asyncio
import sys

from truth import has_input, lines_marked, ready


async def one(future):
    await future  #@ one


async def two(future):
    await future  #@ two


async def deeper(future):
    await future  #@ three


async def three(future):
    await deeper(future)


async def main(count):
    loop = asyncio.get_running_loop()
    kinds = [one, two, two, three, three, three]
    tasks = [loop.create_task(kinds[i % 6](loop.create_future())) for i in range(count)]
    await asyncio.sleep(0.01)
    ready(lines=lines_marked(__file__))
    while not has_input():
        await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
