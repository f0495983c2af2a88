"""A tree of tasks that changes now and then, and the program's own account of it.

Arguments: the file for the accounts, and how many seconds to run. Whenever the loop is about to wait,
and something has changed since, a line is appended: a JSON object with "at" (time.monotonic_ns) and
"tasks", {name: {"frames": [[function, line], ...] from the coroutine to where it waits, "parents":
[names]}}. When the wait is over a line with "until" follows.
"""

import asyncio
import gc
import json
import random
import sys
import time

from truth import ready

HAS_GROUPS = sys.version_info >= (3, 11)
HAS_EAGER = sys.version_info >= (3, 12)
HAS_GRAPH = sys.version_info >= (3, 14)


# -- what tasks do ----------------------------------------------------------------------------------


async def forever():
    await asyncio.get_running_loop().create_future()


async def deep(levels):
    if levels:
        await deep(levels - 1)
    else:
        await forever()


async def numbers():
    yield 1
    await forever()
    yield 2


async def takes_numbers():
    async for _ in numbers():
        pass


class Door:
    async def __aenter__(self):
        await forever()

    async def __aexit__(self, *exception):
        pass


async def opens_door():
    async with Door():
        pass


class Awaitable:
    def __await__(self):
        yield from forever().__await__()


async def awaits_awaitable():
    await Awaitable()


async def sleeps():
    await asyncio.sleep(1000)


SIMPLE = [forever, takes_numbers, opens_door, awaits_awaitable, sleeps]


# -- who waits for whom -----------------------------------------------------------------------------


class Tree:
    """The tasks that were made, and by construction who waits for whom."""

    def __init__(self):
        self.count = 0
        self.tasks = {}  # by name
        self.parents = {}

    def start(self, coroutine, parent=None, make=None):
        self.count += 1
        task = (make or asyncio.get_running_loop().create_task)(coroutine)
        if self.count % 2 or task.get_name() in self.tasks:
            task.set_name("task %d \u00fc" % self.count)
        name = task.get_name()
        self.tasks[name] = task
        self.parents[name] = set()
        if parent:
            self.parents[name].add(parent)
        return task

    def add_parent(self, task, parent):
        self.parents[task.get_name()].add(parent)


async def waits_directly(tree):
    await tree.start(random.choice(SIMPLE)(), asyncio.current_task().get_name())


async def waits_for_several(tree):
    me = asyncio.current_task().get_name()
    await asyncio.gather(*[tree.start(deep(i), me) for i in range(3)])


async def waits_for_the_first(tree):
    me = asyncio.current_task().get_name()
    await asyncio.wait([tree.start(forever(), me) for _ in range(2)])


async def waits_long(tree):
    me = asyncio.current_task().get_name()
    await asyncio.wait_for(tree.start(deep(2), me), 1000)


async def waits_shielded(tree):
    me = asyncio.current_task().get_name()
    await asyncio.shield(tree.start(deep(1), me))


async def waits_in_group(tree):
    me = asyncio.current_task().get_name()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            tree.start(forever(), me, group.create_task)


async def waits_for_python_task(tree):
    me = asyncio.current_task().get_name()
    loop = asyncio.get_running_loop()
    await tree.start(deep(1), me, lambda coroutine: asyncio.tasks._PyTask(coroutine, loop=loop))


class OwnTask(asyncio.Task):
    pass


async def waits_for_own_task(tree):
    me = asyncio.current_task().get_name()
    loop = asyncio.get_running_loop()
    await tree.start(deep(1), me, lambda coroutine: OwnTask(coroutine, loop=loop))


async def waits_for_eager(tree):
    me = asyncio.current_task().get_name()
    loop = asyncio.get_running_loop()
    await tree.start(
        deep(1), me, lambda coroutine: asyncio.Task(coroutine, loop=loop, eager_start=True))


async def waits_for(task):
    await task


async def waits_with_others(tree):
    """A task that three tasks wait for."""
    me = asyncio.current_task().get_name()
    shared = tree.start(forever())
    for _ in range(3):
        waiting = tree.start(waits_for(shared))
        tree.add_parent(shared, waiting.get_name())
    await asyncio.sleep(0)
    tree.add_parent(shared, me)
    await shared


ROOTS = [waits_directly, waits_for_several, waits_for_the_first, waits_long, waits_shielded,
         waits_for_python_task, waits_for_own_task, waits_with_others]
ROOTS += [waits_in_group] if HAS_GROUPS else []
ROOTS += [waits_for_eager] if HAS_EAGER else []


# -- the account ------------------------------------------------------------------------------------


def inside(awaited):
    """What a wrapper that Python gives no access to leads to: an asynchronous generator, say."""
    found = [o for o in gc.get_referents(awaited) if hasattr(o, "ag_frame") or hasattr(o, "cr_frame")
             or hasattr(o, "gi_frame")]
    return found[0] if found else None


def frames_of(coroutine):
    frames = []
    while coroutine is not None:
        for prefix, onward in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(coroutine, prefix + "_frame", None)
            if frame is not None:
                frames.append([frame.f_code.co_name, frame.f_lineno])
                coroutine = getattr(coroutine, onward)
                break
        else:
            coroutine = inside(coroutine)
    return frames


def parents_of(tree, task):
    """The names of those that wait for it: as Python tells them, which it does from 3.14 on and
    for tasks made in C, else by construction."""
    if not HAS_GRAPH or isinstance(task, asyncio.tasks._PyTask):
        return sorted(tree.parents.get(task.get_name(), ()))
    return sorted(by.future.get_name() for by in asyncio.capture_call_graph(task).awaited_by)


def account(tree):
    """all_tasks leaves out tasks made in Python from 3.14 on."""
    tasks = {}
    ours = {task for task in tree.tasks.values() if not task.done()}
    for task in asyncio.all_tasks(tree.loop) | ours:
        name = task.get_name()
        tasks[name] = {
            "frames": frames_of(task.get_coro()),
            "parents": parents_of(tree, task),
        }
    return tasks


class Accounts:
    """Tells what there is whenever the loop goes to wait."""

    def __init__(self, tree, path):
        self.tree = tree
        self.file = open(path, "w")
        self.last = None
        tree.loop._selector.select, self.select = self.select_and_tell, tree.loop._selector.select

    def tell(self, line):
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def select_and_tell(self, timeout=None):
        self.tell({"at": time.monotonic_ns(), "tasks": account(self.tree)})
        try:
            return self.select(timeout)
        finally:
            self.tell({"until": time.monotonic_ns()})


# -- the change -------------------------------------------------------------------------------------


def end(tree, task):
    """Ends a task of the program and what it has started."""
    below = [name for name, parents in tree.parents.items() if task.get_name() in parents]
    for name in below:
        end(tree, tree.tasks[name])
    task.cancel()


async def change(tree, seconds):
    deadline = time.monotonic() + seconds
    roots = []
    tree.tasks[asyncio.current_task().get_name()] = asyncio.current_task()
    while time.monotonic() < deadline:
        if len(roots) >= 4:
            end(tree, roots.pop(random.randrange(len(roots))))
        roots.append(tree.start(random.choice(ROOTS)(tree)))
        await asyncio.sleep(random.uniform(0.05, 0.25))
        tree.tasks = {name: task for name, task in tree.tasks.items() if not task.done()}
        tree.parents = {name: parents for name, parents in tree.parents.items()
                        if name in tree.tasks}


async def main():
    tree = Tree()
    tree.loop = asyncio.get_running_loop()
    tree.loop.set_exception_handler(lambda loop, context: None)
    Accounts(tree, sys.argv[1])
    ready()
    await change(tree, float(sys.argv[2]))


if __name__ == "__main__":
    asyncio.run(main())
