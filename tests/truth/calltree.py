#!/usr/bin/env python3
"""Becomes a program in which every function has one caller and one line that calls it.

    calltree.py FORM [options]

So each stack of it can be judged: see judge.py. The program is written to a file of its own, which
is then executed by the same Python in the same process: nothing of this file is in its stacks. It
prints `READY {"pid": ..., "file": ...}` and works until it is killed. Runs on every Python we
support. As a module: program(form, ...) gives the source and the truth about it.
"""

import argparse
import os
import resource
import sys
import tempfile
from collections import namedtuple

from calls import KINDS

# A form of program.
#   fanouts   by options: the number of functions that each function of a level calls
#   kinds     how functions are called, in turn
#   ends      what stands in a function that calls no other, besides the turns of a loop
Form = namedtuple("Form", "fanouts kinds ends help")


def tree(depth):
    return lambda options: [2] * (options.depth or depth)


def chain_over_tree(options):
    return [1] * (options.chain or 60) + [2] * (options.depth or 3)


def fan(options):
    return [options.fanout or 32] * (options.depth or 2)


FORMS = {
    "plain": Form(tree(9), ("plain",), "turns", "a tree of plain calls"),
    "deep": Form(chain_over_tree, ("plain",), "turns", "a chain over a small tree, gone down again and again"),
    "wide": Form(fan, ("plain",), "turns", "functions that call many others, one after the other"),
    "mixed": Form(
        tree(7),
        ("plain", "method", "default", "keyword", "property", "star", "item", "new", "classmethod", "operator"),
        "turns", "a tree of every kind of call from Python to Python"),
    "callback": Form(
        tree(6), ("sorted", "map", "reduce", "sub"), "turns", "a tree in which every call is made by C code"),
    "generator": Form(tree(6), ("for", "from"), "yields", "a tree of generators, by `for` and by `yield from`"),
    "coroutine": Form(tree(6), ("await",), "pauses", "a tree of coroutines, gone on with by hand"),
    "asyncio": Form(tree(6), ("await",), "sleeps", "a tree of coroutines in a task of asyncio"),
}

# One function: who calls it, on which line, and the lines that are its own.
Function = namedtuple("Function", "caller call_line first_line last_line")

# What is known about a program.
#   functions  {name: Function}; the caller of a root is None
#   foreign    {name: line}: functions that call into code that is not the program's, and where
#   entered    functions that are called by code that is not the program's
Truth = namedtuple("Truth", "functions foreign entered")

HEAD = """\
import _thread, asyncio, functools, json, mmap, os, re, sys, time, types
ONE, TWO, NAMED, LETTER = (1,), (1, 2), {"two": 2}, re.compile("a")
BOARD = [0]
if len(sys.argv) > 1 and sys.argv[1]:
    with open(sys.argv[1], "r+b") as board:
        BOARD = memoryview(mmap.mmap(board.fileno(), 4096)).cast("Q")
GATE, WAITING = _thread.allocate_lock(), []
GATE.acquire()
"""

TAIL = """\
os.remove(__file__)
os.rmdir(os.path.dirname(__file__))
_thread.stack_size(1 << 18)
for _ in range({threads}):
    _thread.start_new_thread(w_1, ())
while len(WAITING) < {threads}:
    time.sleep(0.01)
sys.setrecursionlimit({limit})
print("READY " + json.dumps({{"pid": os.getpid(), "file": __file__}}), flush=True)
"""

# Frames below the gate that a waiting thread stands at.
WAITING_DEPTH = 5
# One in so many functions that call no other goes to the event loop: it costs a hundred times theirs.
SLEEPERS = 16
# Before 3.11 every frame of Python has some of C's, so 10,000 of them want more than the usual 8 MB.
STACK_BYTES = 1 << 28


class Writer:
    """The source as it comes to be, and the truth about what has been written."""

    def __init__(self):
        self.lines = HEAD.splitlines()
        self.functions = {}
        self.foreign = {}
        self.entered = set()
        self._calls = {}  # {callee: (caller, line)}
        self._names = 0

    def name(self):
        self._names += 1
        return "f_%d" % self._names

    def add(self, *lines):
        """Returns the number of the first of these lines."""
        self.lines += lines
        return len(self.lines) - len(lines) + 1

    def add_function(self, name, how, body):
        """`body` is made of texts, and of names of functions to call there: ("call", callee, kind)."""
        first = self.add(*(text.format(name=name) for text in how.before)) if how.before else None
        start = self.add(how.define.format(name=name))
        indent = " " * (4 + how.define.index(how.define.lstrip()))
        for part in body:
            if isinstance(part, str):
                self.add(indent + part)
                continue
            _, callee, lines = part
            at = self.add(*(indent + text.format(name=callee) for text in lines))
            self._calls[callee] = (name, at)
        if how.result:
            self.add(indent + "return " + how.result)
        self.functions[name] = (start if first is None else first, len(self.lines))
        self.add(*(text.format(name=name) for text in how.after))

    def call(self, callee, caller, line):
        """Says of a call that was written by hand where it is."""
        self._calls[callee] = (caller, line)

    def truth(self):
        functions = {}
        for name, (first, last) in self.functions.items():
            caller, line = self._calls.get(name, (None, None))
            functions[name] = Function(caller, line, first, last)
        functions["<module>"] = Function(None, None, 1, len(self.lines))
        return Truth(functions, self.foreign, self.entered)


def turns_of(options):
    return ["for _ in range(%d):" % options.turns, "    pass"]


# -- what stands in a function that calls no other --------------------------------------------------


def end_with_turns(writer, name, options):
    return turns_of(options)


def end_with_yields(writer, name, options):
    return turns_of(options) + ["yield 1"] + turns_of(options) + ["yield 2"]


def end_with_pauses(writer, name, options):
    """Gives way through a generator of its own, as the caller of every frame must be known."""
    pause = name.replace("f_", "p_")
    writer.add_function(pause, KINDS["pause"], ["yield"])
    return turns_of(options) + [("call", pause, KINDS["pause"].call)]


def end_with_sleeps(writer, name, options):
    body = turns_of(options)
    return body + ["await asyncio.sleep(0)"] if int(name[2:]) % SLEEPERS == 0 else body


ENDS = {
    "turns": end_with_turns,
    "yields": end_with_yields,
    "pauses": end_with_pauses,
    "sleeps": end_with_sleeps,
}


# -- the parts of a program -------------------------------------------------------------------------


def add_tree(writer, form, options, level=0):
    """Adds a function and all that it calls: its name and its kind."""
    name = writer.name()
    how = KINDS[form.kinds[int(name[2:]) % len(form.kinds)]]
    fanouts = form.fanouts(options)
    if level == len(fanouts):
        body = ENDS[form.ends](writer, name, options)
    else:
        body = []
        for _ in range(fanouts[level]):
            callee, kind = add_tree(writer, form, options, level + 1)
            body.append(("call", callee, kind.call))
    writer.add_function(name, how, body)
    if form.ends == "sleeps" and "await asyncio.sleep(0)" in body:
        writer.foreign[name] = writer.functions[name][1]
    return name, how


def add_rounds(writer, form, root, kind):
    """The loop around the tree, which counts its rounds; its name and how it is called."""
    count = "    BOARD[0] += 1"
    if form.ends != "sleeps":
        drive = ["    " + text for text in kind.drive or kind.call]
        writer.add_function("main", KINDS["plain"], ["while True:", ("call", root, drive), count])
        return "main"
    awaited = ["    " + text for text in kind.call]
    writer.add_function("rounds", KINDS["await"], ["while True:", ("call", root, awaited), count])
    writer.entered.add("rounds")
    writer.add_function("main", KINDS["plain"], ["asyncio.run(rounds())"])
    writer.foreign["main"] = writer.functions["main"][1]
    return "main"


def add_chain(writer, prefix, length, last):
    """Functions that only call the next one, and the last of them does `last`: the name of the first."""
    for number in range(length, 0, -1):
        name = "%s_%d" % (prefix, number)
        writer.add_function(name, KINDS["plain"], last)
        last = [("call", name, KINDS["plain"].call)]
    return last[0][1]


def file_name(form_name):
    """What the file of a program is called; no module that it imports may have this name."""
    return "calltree_%s.py" % form_name


def program(form_name, options):
    """(source, Truth)"""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 20000))
    form = FORMS[form_name]
    writer = Writer()
    root, kind = add_tree(writer, form, options)
    start = add_rounds(writer, form, root, kind)
    if options.standing:
        start = add_chain(writer, "s", options.standing, [("call", start, KINDS["plain"].call)])
    add_chain(writer, "w", WAITING_DEPTH, ["WAITING.append(1)", "GATE.acquire()"])
    limit = options.standing + len(form.fanouts(options)) + 1000
    writer.add(*TAIL.format(threads=options.threads, limit=limit).splitlines())
    writer.call(start, "<module>", writer.add(start + "()"))
    return "\n".join(writer.lines) + "\n", writer.truth()


# -- as a command -----------------------------------------------------------------------------------


def options_of(words):
    """The options of a command line without its form; all have defaults."""
    return parser().parse_args(["plain", *words])


def parser():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    forms = "; ".join("%s: %s" % (name, form.help) for name, form in FORMS.items())
    parser.add_argument("form", metavar="FORM", choices=sorted(FORMS), help=forms)
    parser.add_argument("--turns", type=int, default=3, help="turns of the loop in a function that calls none")
    parser.add_argument("--depth", type=int, default=0, help="levels of the tree below its root")
    parser.add_argument("--chain", type=int, default=0, help="length of the chain of `deep`")
    parser.add_argument("--fanout", type=int, default=0, help="functions that each one of `wide` calls")
    parser.add_argument("--standing", type=int, default=0, help="frames that always stand below the tree")
    parser.add_argument("--threads", type=int, default=0, help="threads that wait")
    parser.add_argument("--source", action="store_true", help="only print the program")
    parser.add_argument("--board", default="", help="a file of 4096 bytes; rounds are counted in its first word")
    return parser


def main():
    options = parser().parse_args()
    source, _ = program(options.form, options)
    if options.source:
        sys.stdout.write(source)
        return
    path = os.path.join(tempfile.mkdtemp(prefix="calltree-"), file_name(options.form))
    with open(path, "w") as file:
        file.write(source)
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    enough = STACK_BYTES if hard == resource.RLIM_INFINITY else min(hard, STACK_BYTES)
    resource.setrlimit(resource.RLIMIT_STACK, (enough, hard))
    os.execv(sys.executable, [sys.executable, path, options.board])


if __name__ == "__main__":
    main()
