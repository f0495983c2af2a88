"""Starts children: family.py HOW COUNT FOLDER.

After READY it waits for a line on standard input, then starts COUNT children as HOW says. Each makes
FOLDER/PID.child and works in work_of_child() until there is a file FOLDER/stop, or no FOLDER. The
process itself waits in wait_for_children(). HOW is one of METHODS.
"""

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from truth import ready


def work_of_child(folder):
    with open(os.path.join(folder, "%d.child" % os.getpid()), "w"):
        pass
    while os.path.isdir(folder) and not os.path.exists(os.path.join(folder, "stop")):
        for _ in range(10000):
            pass


def wait_for_children(waits):
    for wait in waits:
        wait()


def wait_for_pid(pid):
    os.waitpid(pid, 0)


def fork_one(folder, then=None):
    pid = os.fork()
    if pid == 0:
        (then or work_of_child)(folder)
        os._exit(0)
    return lambda: wait_for_pid(pid)


def by_fork(count, folder):
    return [fork_one(folder) for _ in range(count)]


def nested(count, folder):
    """Each child is a child of the one before."""
    def work_above_another(_):
        waits = nested(count - 1, folder)
        work_of_child(folder)
        wait_for_children(waits)

    return [fork_one(folder, work_above_another)] if count > 0 else []


def by_exec(count, folder):
    command = [sys.executable, os.path.abspath(__file__), "child", "0", folder]
    return [subprocess.Popen(command).wait for _ in range(count)]


def through_a_shell(count, folder):
    """The shell waits a while before it becomes a Python, or has one below it."""
    command = [sys.executable, os.path.abspath(__file__), "child", "0", folder]
    ways = ('sleep 0.2; exec "$@"', 'sleep 0.2; "$@"; true')
    return [subprocess.Popen(["sh", "-c", ways[i % 2], "sh"] + command).wait for i in range(count)]


def by_multiprocessing(method):
    def begin(count, folder):
        context = multiprocessing.get_context(method)
        children = [context.Process(target=work_of_child, args=(folder,)) for _ in range(count)]
        for child in children:
            child.start()
        return [child.join for child in children]

    return begin


def by_futures(count, folder):
    # 3.9 to 3.11 fork the second child while a thread of the pool may hold a lock (bpo-46464).
    has_unsafe_forks = (3, 9) <= sys.version_info < (3, 12)
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn" if has_unsafe_forks else None))
    return [future.result for future in [pool.submit(work_of_child, folder) for _ in range(count)]]


def no_python(count, folder):
    """They end by themselves."""
    return [subprocess.Popen(["sleep", "0.4"]).wait for _ in range(count)]


METHODS = {
    "os.fork": by_fork,
    "nested": nested,
    "exec": by_exec,
    "shell": through_a_shell,
    "fork": by_multiprocessing("fork"),
    "spawn": by_multiprocessing("spawn"),
    "forkserver": by_multiprocessing("forkserver"),
    "futures": by_futures,
    "no_python": no_python,
}


def main():
    how, count, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if how == "child":
        work_of_child(folder)
        return
    ready()
    sys.stdin.readline()
    wait_for_children(METHODS[how](count, folder))


if __name__ == "__main__":
    main()
