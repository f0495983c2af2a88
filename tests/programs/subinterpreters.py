"""Runs code in other interpreters, in one of the ways below, and says what stacks that makes.

subinterpreters.py WAY. Ends when standard input is closed.
"""

import os
import sys
import threading

from truth import has_input, lines_marked, ready, stack_of, wait_until_still

try:
    import _interpreters as subinterpreters
except ImportError:  # before 3.13
    import _xxsubinterpreters as subinterpreters

GATE, GATE_END = os.pipe()
MARKS = lines_marked(__file__)

# What runs elsewhere. Lines: see INSIDE_STACK and WORK_CALLS.
INSIDE = f"""import os
def inside():
    os.read({GATE}, 1)
inside()
"""
INSIDE_STACK = [["<module>", 4], ["inside", 3]]

NESTED = f"""
try:
    import _interpreters as subinterpreters
except ImportError:
    import _xxsubinterpreters as subinterpreters
def between():
    run = getattr(subinterpreters, "exec", None) or subinterpreters.run_string
    run(subinterpreters.create(), {INSIDE!r})
between()
"""
NESTED_STACK = [["<module>", 9], ["between", 8]]

WORK = """
def inner():
    total = 0
    for number in range(2000):
        total += number
def outer():
    for _ in range(ROUNDS):
        inner()
outer()
"""
WORK_CALLS = [["<module>", 9, "outer"], ["outer", 8, "inner"]]


def execute(interpreter, source):
    run = getattr(subinterpreters, "exec", None) or subinterpreters.run_string
    run(interpreter, source)  #@ execute


def stack_here():
    """[function, line] of the frames of this file that call execute(), root first."""
    frames = [f for f in reversed(stack_of(sys._getframe(1))) if f["file"] == __file__]
    return [[f["function"], f["line"]] for f in frames] + [["execute", MARKS["execute"]]]


def tell(parts, tid, main):
    """`parts`: the stack of each interpreter that the thread runs in, the lowest first."""
    ready(tid=tid, main=main, parts=parts, file=__file__)


# -- standing still -----------------------------------------------------------------------------


def here():
    """The main thread runs an interpreter that it made."""
    interpreter = subinterpreters.create()
    parts = [stack_here(), INSIDE_STACK]
    parts[0][-2][1] = MARKS["here"]
    tell(parts, os.getpid(), True)
    execute(interpreter, INSIDE)  #@ here


def nested():
    """That interpreter runs another one in turn."""
    interpreter = subinterpreters.create()
    parts = [stack_here(), NESTED_STACK, INSIDE_STACK]
    parts[0][-2][1] = MARKS["nested"]
    tell(parts, os.getpid(), True)
    execute(interpreter, NESTED)  #@ nested


def elsewhere():
    """Another thread than that which made it."""
    interpreter = subinterpreters.create()
    lower = []

    def run():
        lower.extend(stack_here())
        lower[-2][1] = MARKS["run"]
        execute(interpreter, INSIDE)  #@ run

    thread = threading.Thread(target=run, name="runner", daemon=True)
    thread.start()
    wait_until_still()
    tell([lower, INSIDE_STACK], thread.native_id, False)
    sys.stdin.read()


def public():
    """By the module that is meant for it, from 3.14 on."""
    from concurrent import interpreters

    interpreter = interpreters.create()
    parts = [stack_here()[:-1], INSIDE_STACK]
    parts[0][-1][1] = MARKS["public"]
    tell(parts, os.getpid(), True)
    interpreter.exec(INSIDE)  #@ public


# -- running ------------------------------------------------------------------------------------


def calls_of_work(way, line):
    return [[way, line, "execute"], ["execute", MARKS["execute"], "<module>"], *WORK_CALLS]


def churn():
    """Makes interpreters, runs each for some milliseconds, and ends them."""
    ready(calls=calls_of_work("churn", MARKS["churn"]), file=__file__)
    while not has_input():
        interpreter = subinterpreters.create()  #@ create
        execute(interpreter, WORK.replace("ROUNDS", "50"))  #@ churn
        subinterpreters.destroy(interpreter)  #@ destroy


def work():
    execute(subinterpreters.create(), WORK.replace("ROUNDS", "10 ** 9"))  #@ work


def together():
    """Two at once: each with a GIL of its own from 3.12 on."""
    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    ready(calls=calls_of_work("work", MARKS["work"]), file=__file__)
    sys.stdin.read()


def main():
    WAYS[sys.argv[1]]()
    os._exit(0)


WAYS = {way.__name__: way for way in (here, nested, elsewhere, public, churn, together)}

if __name__ == "__main__":
    main()
