"""Splits its own time among what a thread can be doing, and says when asked how it came out so far.

Each kind of activity is a function of its own: spinning, sleeping, computing without the GIL,
sleeping in a handler, spinning in the handler of a generator, collecting garbage. Anything on
standard input asks; its end ends us. The clocks are ours: time since the start, and CPU time of this
thread. With the argument "numpy" it is that which computes without the GIL.
"""

import gc
import hashlib
import os
import sys
import time

from truth import has_input, ready, say

clock = time.perf_counter
# Where there is none it is the process's: it has but one thread.
cpu_clock = getattr(time, "thread_time", time.process_time)

BUFFER = b"x" * (1 << 20)
GARBAGE = [[i] for i in range(30000)]


def spin(until):
    while clock() < until:
        pass


def sleep(until):
    time.sleep(max(0, until - clock()))


def digest():
    """hashlib gives the GIL away for what is longer than 2 KiB."""
    hashlib.sha256(BUFFER).digest()


def multiplication():
    """NumPy does for a product of matrices."""
    import numpy

    matrix = numpy.random.rand(150, 150)
    return lambda: matrix @ matrix


without_gil = multiplication() if sys.argv[1:] == ["numpy"] else digest


def compute(until):
    while clock() < until:
        without_gil()


def handle(until):
    try:
        raise KeyError(until)
    except KeyError:
        sleep(until)


def handle_in_generator(until):
    def generate():
        try:
            raise KeyError(until)
        except KeyError:
            spin(until)
            yield True

    for _ in generate():
        pass


def collect(until):
    while clock() < until:
        gc.collect()


SHARES = {spin: 0.25, sleep: 0.2, compute: 0.2, handle: 0.1, handle_in_generator: 0.1, collect: 0.15}


def next_length(state):
    """The next state of a generator of numbers, and a length of 4 to 16 ms without a pattern."""
    state = (state * 1103515245 + 12345) % 2147483648
    return state, 0.004 + 0.012 * state / 2147483648


def split_time():
    """Always does what is furthest behind its share."""
    spent = {work: 0.0 for work in SHARES}
    used = {work: 0.0 for work in SHARES}
    state = 12345
    start, start_cpu = clock(), cpu_clock()
    while not has_input() or report(spent, used, clock() - start, cpu_clock() - start_cpu):
        state, length = next_length(state)
        now, now_cpu = clock(), cpu_clock()
        work = max(SHARES, key=lambda each: SHARES[each] * (now - start) - spent[each])
        work(now + length)
        spent[work] += clock() - now
        used[work] += cpu_clock() - now_cpu


def report(spent, used, elapsed, elapsed_cpu):
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)  # before the answer, after which the next question may come
    names = {work: work.__name__ for work in SHARES}
    say("TRUTH", elapsed=elapsed, cpu=elapsed_cpu,
        spent={names[work]: value for work, value in spent.items()},
        used={names[work]: value for work, value in used.items()})
    return bool(asked)


def main():
    gc.disable()
    ready()
    split_time()


if __name__ == "__main__":
    sys.exit(main())
