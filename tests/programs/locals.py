"""Stands still in frames whose local variables it knows, and says what a dump must show of them.

locals.py: READY has `frames`: {function: {name: what is shown}}. Ends when standard input is closed.
locals.py busy: calls, returns and makes new values all the time, whose texts all begin alike.
"""

import collections
import enum
import os
import sys
import threading

from truth import ready, wait_until_still

GATE, GATE_END = os.pipe()
wanted = {}


class Thing:
    class Inner:
        pass


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


Pair = collections.namedtuple("Pair", "a b")


def stand():
    os.read(GATE, 1)


def shown(value):
    """What a dump says of an object of a class."""
    name = type(value).__name__
    module = type(value).__module__
    return "<%s%s at %#x>" % ("" if module == "builtins" else module + ".", name, id(value))


def expect(function, values, **other):
    """These are shown as Python writes them, the others as given."""
    wanted[function] = {name: repr(value) for name, value in values.items()}
    wanted[function].update(other)


def numbers():
    zero, one, minus, true, false, nothing = 0, 1, -1, True, False, None
    digit, two_digits, three_digits = 2**30 - 1, 2**30, 2**60
    hundred_bits, minus_hundred_bits, many = 2**100 + 7, -(2**100), 3**700
    half, tenth, third, big, bigger, small, smaller = 0.5, 0.1, 1 / 3, 1e15, 1e16, 1e-4, 1e-5
    whole, minus_zero, infinite, odd, least = 100.0, -0.0, float("-inf"), float("nan"), 5e-324
    expect("numbers", dict(locals()))
    huge = -(1 << 4999)
    wanted["numbers"]["huge"] = "<int of 5000 bits>"
    stand()


def texts():
    empty, plain, quoted, both = "", "plain", "it's", "it's \"so\""
    escaped, latin, wide, widest, lone = "a\n\t\r\\\x00\x7f", "h\xe9llo", "\u540d\u524d", "\U0001f40d", "\ud800"
    no_bytes, some_bytes = b"", b"it's \x00\xff\n"
    expect("texts", dict(locals()))
    long_text, long_bytes = "x" * 1000, b"y" * 1000
    wanted["texts"].update(long_text=repr("x" * 100) + "...", long_bytes=repr(b"y" * 100) + "...")
    stand()


def containers():
    no_tuple, no_list, no_dict, no_set, frozen = (), [], {}, set(), frozenset()
    single, pair, listed, mapped = (1,), (1, "a"), [1, 2.5, None], {"a": 1, 2: (3, 4)}
    kept, frozen_one, nested = {7}, frozenset({"x"}), [(1, 2), {"k": [1][0]}]
    ten = list(range(10))
    holes = {number: number for number in range(6)}
    del holes[0], holes[3]
    emptied = {1, 2, 3}
    emptied.discard(2)
    expect("containers", dict(locals()))
    eleven, deep, circle = list(range(11)), [[[1]], {"a": {1: 2}}], []
    circle.append(circle)
    many, crowd = {n: n for n in range(1000)}, set(range(1000))
    wanted["containers"].update(
        eleven=repr(eleven)[:-5] + ", ...]", deep="[[[...]], {'a': {...}}]", circle="[[[...]]]",
        many=repr({n: n for n in range(10)})[:-1] + ", ...}",
        crowd=repr(set(range(10)))[:-1] + ", ...}")
    stand()


def objects():
    thing, inner, colour, text, pair = Thing(), Thing.Inner(), Colour.RED, Text("secret"), Pair(1, 2)
    function, module, kind, ellipsis = objects, os, Thing, ...
    expect("objects", {}, **{name: shown(value) for name, value in locals().items()})
    stand()


def cells():
    outer, shared, later = "outer", [1], 0

    def middle(argument, unused=None):
        own = 5

        def innermost():
            nonlocal later
            later = 3
            expect("innermost", {"argument": argument, "own": own, "shared": shared, "later": later})
            stand()

        expect("middle", {
            "argument": argument, "unused": unused, "own": own, "shared": shared, "later": 3})
        wanted["middle"]["innermost"] = shown(innermost)
        innermost()

    expect("cells", {"outer": outer, "shared": shared, "later": 3})
    wanted["cells"]["middle"] = shown(middle)
    middle("given")


def generator():
    first, second = 1, "two"
    expect("generator", dict(locals()))
    stand()
    yield first, second


def unbound(present, absent=None, *rest, key, **named):
    expect("unbound", {"present": present, "rest": rest, "key": key, "named": named})
    del absent
    stand()
    never = 1
    return never


def called(depth, word):
    made = [word + str(depth), (word, depth)]
    return called(depth - 1, word) if depth else made


def call_for_ever(fixed):
    while True:
        for depth in range(20):
            called(depth, "word" * depth)


def main():
    if sys.argv[1:] == ["busy"]:
        threading.Thread(target=call_for_ever, args=("stays",), daemon=True).start()
        ready()
        sys.stdin.read()
        return
    for target in (numbers, texts, containers, objects, cells, lambda: next(generator()),
                   lambda: unbound(1, 2, 3, key="k", other=4)):
        threading.Thread(target=target, daemon=True).start()
    wait_until_still()
    ready(frames=wanted)
    sys.stdin.read()


if __name__ == "__main__":
    main()
    os._exit(0)
