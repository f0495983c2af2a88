"""The kinds of call that a program of known truth is made of; runs on every Python we support."""

from collections import namedtuple

# How one function is made and called. Every text is a template; {name} is the function's name.
#   before   lines above it
#   define   its first line; what comes before `def` is its indentation
#   after    lines below it
#   call     the call, as its only caller writes it: the first line is the line of the call
#   drive    the same, written in a plain function; None: as `call`
#   result   what it gives back, or None
Kind = namedtuple("Kind", "before define after call drive result")


def kind(define, call, before=(), after=(), drive=None, result=None):
    return Kind(before, define, after, (call,) if isinstance(call, str) else call, drive, result)


def in_class(define, call, decorator=None, alias=None):
    """A function in a class of its own, of which there is one instance."""
    before = ("class C_{name}:",) + ((("    " + decorator),) if decorator else ())
    after = (("    " + alias + " = {name}",) if alias else ()) + ("O_{name} = C_{name}()",)
    return kind("    " + define, call, before, after)


KINDS = {
    "plain": kind("def {name}():", "{name}()"),
    # Python to Python, in the ways that are compiled differently
    "default": kind("def {name}(one=1, two=2):", "{name}(2)"),
    "keyword": kind("def {name}(one, *, two):", "{name}(1, two=2)"),
    "star": kind("def {name}(*one, **two):", "{name}(*ONE, **NAMED)"),
    "method": in_class("def {name}(self):", "O_{name}.{name}()"),
    "classmethod": in_class("def {name}(cls):", "C_{name}.{name}()", decorator="@classmethod"),
    "property": in_class("def {name}(self):", "O_{name}.{name}", decorator="@property"),
    "item": in_class("def {name}(self, _):", "O_{name}[0]", alias="__getitem__"),
    "operator": in_class("def {name}(self, _):", "O_{name} + 1", alias="__add__"),
    # A class with an __init__ is called; the instance made to have one does no harm.
    "new": kind(
        "    def {name}(self, *_):", "C_{name}()", ("class C_{name}:",),
        ("    __init__ = {name}",)),
    # C code that calls back
    "sorted": kind("def {name}(_):", "sorted(ONE, key={name})"),
    "map": kind("def {name}(_):", "list(map({name}, ONE))"),
    "reduce": kind("def {name}(_, other):", "functools.reduce({name}, TWO)"),
    "sub": kind("def {name}(_):", "LETTER.sub({name}, 'a')", result="''"),
    # What gives way to its caller and is gone on with
    "for": kind(
        "def {name}():", ("for value in {name}():", "    yield value"),
        drive=("for _ in {name}():", "    pass")),
    "from": kind(
        "def {name}():", "yield from {name}()", drive=("for _ in {name}():", "    pass")),
    "await": kind(
        "async def {name}():", "await {name}()",
        drive=("for _ in {name}().__await__():", "    pass")),
    "pause": kind("def {name}():", "await {name}()", before=("@types.coroutine",)),
}
