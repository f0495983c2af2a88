"""Stands still in something big or oddly named, and says what its stacks are.

sizes.py threads COUNT | deep FRAMES | names
Ends when standard input is closed.
"""

import os
import sys
import threading
import types

from truth import ready, threads_now, wait_until_still

GATE, GATE_END = os.pipe()

ODD_NAMES = {
    "plain": "plain",
    "empty": "",
    "long": "long_" + "x" * 9995,
    "long_wide": "长" * 10000,
    "ucs1": "caf\u00e9",
    "ucs2": "\u0424\u0443\u043d\u043a\u0446\u0438\u044f_\u51fd\u6570",
    "ucs4": "fn_\U0001f600\u51fd",
    "semicolon": "a;b;;c",
    "newline": "first\nsecond\r\nthird",
    "spaces": "name with spaces 12",
    "parentheses": "f (x.py:3)",
    "quotes": "say \"it\" 'so' `now`",
    "backslash": "back\\slash\\n",
    "markup": "</script><script>alert(1)</script><!-- &amp; ]]>",
    "escape": "\x1b[31mred\x07\x7f",
    "nul": "nul\0inside",
    "separators": "line\u2028paragraph\u2029",
    "right_to_left": "\u202eabc",
    "high_surrogate": "\ud800x",
    "low_surrogate": "x\udcff",
    "surrogates": "\ude00\ud83d",
    "last": "\U0010ffff",
}


def stand():
    os.read(GATE, 1)


def renamed(function, name, path):
    """The same function under another name and file, as its code object says it."""
    changes = {"co_name": name, "co_filename": path}
    if hasattr(function.__code__, "co_qualname"):
        changes["co_qualname"] = name
    return types.FunctionType(function.__code__.replace(**changes), globals())


def stand_under_names():
    for number, name in enumerate(ODD_NAMES.values()):
        path = "/\u6587\u4ef6/" + name + ".py" if number % 2 else name
        threading.Thread(target=renamed(stand, name, path), name=name or " ", daemon=True).start()


def stand_many(count):
    for number in range(count):
        threading.Thread(target=stand, name="standing-%d" % number, daemon=True).start()


def descend(depth):
    if depth:
        return descend(depth - 1)
    return stand()


def stand_deep(frames):
    sys.setrecursionlimit(frames + 1000)
    threading.stack_size(1 << 30)
    threading.Thread(target=descend, args=(frames,), name="deep", daemon=True).start()
    threading.stack_size(0)


def main():
    kind = sys.argv[1]
    if kind == "names":
        stand_under_names()
    elif kind == "threads":
        threading.stack_size(1 << 18)
        stand_many(int(sys.argv[2]))
    else:
        stand_deep(int(sys.argv[2]))
    wait_until_still()
    ready(threads=threads_now(skip=[threading.main_thread()]))
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
