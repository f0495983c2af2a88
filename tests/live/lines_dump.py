"""Runs under each Python (3.8 and later): says of many code objects where their instructions are.

Prints `code FIRST_LINE HEX` for a code object and its line table ("-" for an empty one), then
`OFFSET LINE END_LINE COLUMN END_COLUMN` for each of its code units, as this Python itself says:
columns from 0 as in co_positions(), "-" for what it does not know.
"""

import dis
import importlib.util
import sys

MODULES = ["argparse", "ast", "asyncio.base_events", "asyncio.tasks", "collections", "dataclasses",
           "datetime", "decimal", "difflib", "enum", "functools", "inspect", "logging", "pickle",
           "re", "subprocess", "tarfile", "tempfile", "threading", "traceback", "typing", "unittest.mock"]

SNIPPETS = ["", "x = 1\n", """
def calls(f, g):
    return f(
        g(1,
          2),
        g(
            3), *[
            4,
        ], **{
            'k': g(
                5)})
""", """
def decorate(x):
    return lambda f: f

@decorate(
    1 +
    2)
@decorate(3)
class Decorated(
        object):
    '''Doc.'''
    a: int = 1

    @decorate(
        4)
    @staticmethod
    def method(a=(1,
                  2), *,
               b=3):
        yield a
        return (yield from b)
""", """
def handlers(f):
    for i in range(3):
        try:
            with f(i) as a, \\
                    f(i + 1) as b:
                continue
        except (ValueError,
                TypeError) as error:
            if f(): break
        except Exception:
            raise RuntimeError(
                f) from None
        else:
            f(1)
        finally:
            f(
                2
            )
    else:
        f(3)
    while f(): f(); f()
    return [x
            for y in f()
            if y
            for x in (z for z in y if
                      z)], {a: b for a, b in f()}, {c for c in f()}
""", """
async def asynchronous(f):
    async with f() as a:
        await a
    async for b in f():
        yield [c async for c in b if await c]
    assert a, (
        'message'
    )
""", """
def texts(a):
    s = 'äöü€😀'; t = f'{a!r:>{len(s)}} ä {a +
    1 if False else a}' if False else f'ä{a}ö{a
    }'
    return (a if s else
            t), s[a:
                  t], a < s < t, not a
""" if sys.version_info >= (3, 12) else "s = 'äöü€😀'; t = f'ä{s}ö'; u = s + t\n", """
def constants():
    if 0:
        return 1
    while 1:
        pass
    return 'a' 'b' \\
        'c'
""", """
def matched(v):
    match v:
        case [1, {'k': x}, *_] if x > (
                2):
            return x
        case str(
        ) | None:
            pass
""" if sys.version_info >= (3, 10) else "", """
def grouped(f):
    try:
        f()
    except* (ValueError,
             TypeError) as e:
        f(e)
""" if sys.version_info >= (3, 11) else "", """
type Alias[T: (int,
               str)] = list[
    T]
def generic[T](a: T) -> T:
    return a
""" if sys.version_info >= (3, 12) else ""]


def made_snippets():
    """Steps and columns too large for one entry of a table."""
    for gap in (126, 127, 128, 129, 255, 256, 300, 1000, 40000):
        yield "a(" + "\n" * gap + "b,\n" + "\n" * gap + "c)\nd()\n"
    for column in (7, 8, 15, 16, 79, 80, 126, 127, 128, 200, 5000):
        yield "def f(a):\n  return (" + " " * column + "a + (\na)) - a\n"
    for count in (10, 100, 1000):
        yield "a = [" + ", ".join("b(%d)" % i for i in range(count)) + "]\nc = d\n"
        yield "def f(a):\n" + "".join("  a = a + %d; b = a\n" % i for i in range(count)) + "  a(\n\n1)\n"


def compile_all():
    for name in MODULES:
        path = importlib.util.find_spec(name).origin
        with open(path, encoding="utf-8") as file:
            yield compile(file.read(), path, "exec")
    for text in [*SNIPPETS, *made_snippets()]:
        for optimize in (0, 2):
            yield compile(text, "snippet", "exec", optimize=optimize)


def with_inner(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from with_inner(constant)


def positions(code):
    """(line, end_line, column, end_column) for each code unit."""
    if hasattr(code, "co_positions"):
        return code.co_positions()
    units = len(code.co_code) // 2
    lines = [None] * units
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            lines[start // 2 : end // 2] = [line] * ((end - start) // 2)
    else:
        for start, line in dis.findlinestarts(code):
            lines[start // 2 :] = [line] * (units - start // 2)
    return [(line, None, None, None) for line in lines]


def table(code):
    return code.co_linetable if hasattr(code, "co_linetable") else code.co_lnotab


def dump(code):
    yield "code %d %s" % (code.co_firstlineno, table(code).hex() or "-")
    for unit, position in enumerate(positions(code)):
        yield "%d %s" % (2 * unit, " ".join("-" if n is None else str(n) for n in position))


def main():
    for module in compile_all():
        for code in with_inner(module):
            print("\n".join(dump(code)))


main()
