"""Stands still in a subinterpreter, in a thread of its own. Ends when standard input is closed."""

import os
import sys
import threading

from truth import lines_marked, ready, wait_until_still

try:
    import _interpreters as subinterpreters
except ImportError:  # before 3.13
    import _xxsubinterpreters as subinterpreters

SOURCE = """import os


def inside():
    os.read(%d, 1)


inside()
"""

GATE, GATE_END = os.pipe()


def run_inside():
    execute = getattr(subinterpreters, "exec", None) or subinterpreters.run_string
    execute(subinterpreters.create(), SOURCE % GATE)  #@ execute


def main():
    thread = threading.Thread(target=run_inside, name="outer", daemon=True)
    thread.start()
    wait_until_still()
    ready(tid=thread.native_id, inner=[["inside", 5], ["<module>", 8]],
          outer=["run_inside", lines_marked(__file__)["execute"]])
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
