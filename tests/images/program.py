"""Two threads that stand still, in a generator, a method, a callback; says on its standard output
what its stacks are, as the images' expected.txt has them, and then waits for ever."""

import os
import re
import sys
import threading
import time

qualified = sys.version_info >= (3, 11)
never, _unused = os.pipe()
here = __file__ if "__file__" in globals() else "program.py"


class Worker:
    def run(self):
        return [self.step(i) for i in range(3, 4)]

    def step(self, depth):
        if depth > 0:
            return self.step(depth - 1)
        return max(self.values(), key=lambda value: self.wait(value))

    def values(self):
        yield 1

    def wait(self, value):
        os.read(never, 1)
        return value


def produce():
    yield from consume()


def consume():
    for _ in "x":
        re.sub("a", replaced, "cat")
        yield None


def replaced(match):
    os.read(never, 1)
    return "b"


def is_waiting(frame):
    return frame is not None and frame.f_code.co_name in ("wait", "replaced")


def describe(frame):
    parts = []
    while frame is not None:
        code = frame.f_code
        name = code.co_qualname if qualified else code.co_name
        parts.append(f"{name} ({code.co_filename}:{frame.f_lineno})")
        frame = frame.f_back
    return ";".join(reversed(parts))


def tell(names):
    """From a thread of its own, which ends when the others stand still."""
    while not all(is_waiting(sys._current_frames().get(ident)) for ident in names):
        time.sleep(0.01)
    time.sleep(0.1)
    frames = sys._current_frames()
    lines = [f"{name}: {describe(frames[ident])}" for ident, name in names.items()]
    version = ".".join(str(part) for part in sys.version_info[:3])
    os.write(1, ("\n".join(lines + [f"Python {version}"]) + "\n").encode())


def main():
    worker = threading.Thread(target=Worker().run, name="worker é", daemon=True)
    worker.start()
    # The newest thread comes first in the interpreter's list.
    names = {worker.ident: "worker é", threading.get_ident(): "MainThread"}
    threading.Thread(target=tell, args=(names,), name="teller", daemon=True).start()
    for _ in produce():
        pass


main()
