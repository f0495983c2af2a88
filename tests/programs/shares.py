"""Splits its own time 70/20/10 by its own clock, and says when asked how it came out so far.

Three kinds of work, each below callers of its own: a plain function, a method, and a lambda with a
generator expression that C code calls back. Anything on standard input asks; its end ends us.
"""

import os
import sys
import time

from truth import has_input, lines_marked, name_of, ready, say

clock = time.perf_counter


def grind(until):
    while clock() < until:  #@ grind
        pass


def crush(until):
    return grind(until)  #@ crush


def plain_work(until):
    return crush(until)  #@ plain_work


class Mill:
    def __init__(self, name):
        self.name = name

    def turn(self, until):
        while clock() < until:  #@ turn
            pass

    @classmethod
    def named(cls, until):
        return cls("mill").turn(until)  #@ named


def method_work(until):
    return Mill.named(until)  #@ method_work


def lambda_work(until):
    sift = lambda: clock() < until  #@ sift
    return sum(1 for _ in iter(sift, False))  #@ lambda_work


WORK = (plain_work, method_work, lambda_work)
SHARES = (0.70, 0.20, 0.10)


def next_length(state):
    """The next state of a generator of numbers, and a length of 2 to 8 ms without a pattern."""
    state = (state * 1103515245 + 12345) % 2147483648
    return state, 0.002 + 0.006 * state / 2147483648


def split_time():
    """Always does the work that is furthest behind its share."""
    spent = [0.0] * len(WORK)
    state = 12345
    start = clock()
    while not has_input() or report(spent, clock() - start):  #@ loop
        state, length = next_length(state)  #@ next_length
        now = clock()
        behind = list(map(lacking, SHARES, [now - start] * len(WORK), spent))  #@ lacking
        chosen = behind.index(max(behind))
        WORK[chosen](now + length)  #@ split_time
        spent[chosen] += clock() - now


def report(spent, elapsed):
    """Says what was spent so far. False when there is nobody to tell."""
    asked = os.read(0, 100)  # before the answer, after which the next question may come
    names = [work.__name__ for work in WORK]
    say("TRUTH", spent=dict(zip(names, spent)), elapsed=elapsed)
    return bool(asked)


def lacking(share, elapsed, done):
    return share * elapsed - done


def code_within(code, name):
    return next(c for c in code.co_consts if hasattr(c, "co_name") and c.co_name == name)


def edges():
    """Every call there is: [caller, line of the call, callee]."""
    at = lines_marked(__file__)
    inner = lambda_work.__code__
    sift, sum_of = code_within(inner, "<lambda>"), code_within(inner, "<genexpr>")
    named, turn, init = Mill.named.__func__.__code__, Mill.turn.__code__, Mill.__init__.__code__
    rows = [
        (main, "main", split_time), (split_time, "loop", has_input), (split_time, "loop", report),
        (split_time, "next_length", next_length), (split_time, "lacking", lacking),
        (split_time, "split_time", plain_work), (split_time, "split_time", method_work),
        (split_time, "split_time", lambda_work), (plain_work, "plain_work", crush),
        (crush, "crush", grind), (method_work, "method_work", named), (named, "named", init),
        (named, "named", turn), (inner, "lambda_work", sum_of), (sum_of, "lambda_work", sift),
    ]
    names = [
        [name_of(getattr(caller, "__code__", caller)), at[mark],
         name_of(getattr(callee, "__code__", callee))]
        for caller, mark, callee in rows]
    return [["<module>", at["module"], name_of(main.__code__)], *names]


def main():
    ready(edges=edges(), files=[__file__, has_input.__code__.co_filename])
    split_time()  #@ main


if __name__ == "__main__":
    sys.exit(main())  #@ module
