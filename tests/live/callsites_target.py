"""Runs under each Python (3.8 and later) as `python -c TEXT MODE`: makes calls of every kind, warmed
up, and says of each what test_callsites.py is to find in the bytecode.

Every function of this program calls here(), which looks at the stack that stands at that moment, so
what it sees is true. In the last rounds it says it, and waits for an answer:

    edge KIND CALLER OFFSET FRAME CALLEE FRAME NAME     as callsites_facts.c has it, and names

At the end: `code CODE FLAGS NAME`, `function FUNCTION CODE` and `true CALLER OFFSET CALLEE`, for every code
object and function of the program and every call that here() ever saw; `jit CODE` if there is a
just-in-time compiler, for the function that is to be compiled; `end`; then it waits.
"""

import asyncio
import contextlib
import functools
import gc
import os
import random
import signal
import sys
import types
import weakref

ROUNDS, TOLD_ROUNDS = 200, 2

kinds = {}  # code -> kind of the calls to it
true_calls = set()  # (id of code, offset, id of code)
seen = {}  # id -> code object; code objects compare equal that are not the same
told = set()
is_telling = False


def say(*words):
    data = (" ".join(map(str, words)) + "\n").encode()
    while data:
        data = data[os.write(1, data):]


def tell(edge, caller, frame):
    if edge in told or frame.f_code is here.__code__:
        return
    told.add(edge)
    kind = kinds.get(frame.f_code, "other").replace(" ", "-")
    names = "%s->%s" % (caller.f_code.co_name, frame.f_code.co_name)
    say("edge", kind, edge[0], edge[1], id(caller), edge[2], id(frame), names)
    os.read(0, 1)


def here():
    frame = sys._getframe(0)
    while frame.f_back is not None:
        caller = frame.f_back
        edge = (id(caller.f_code), caller.f_lasti, id(frame.f_code))
        seen[edge[0]], seen[edge[2]] = caller.f_code, frame.f_code
        true_calls.add(edge)
        if is_telling:
            tell(edge, caller, frame)
        frame = caller


def callee(kind):
    """Marks a function: calls of it are of that kind."""

    def mark(function):
        kinds[function.__code__] = kind
        return function

    return mark


scenarios = []


def scenario(function):
    scenarios.append(function)
    return function


# --- Functions and methods -------------------------------------------------------------------------


@callee("exact")
def exact(a, b):
    here()
    return a


@callee("exact")
def nothing():
    here()


class Thing:
    @callee("exact")
    def method(self, a):
        here()
        return a

    @staticmethod
    @callee("exact")
    def static(a):
        here()

    @classmethod
    @callee("exact")
    def of_class(cls, a):
        here()

    @callee("general")
    def open_method(self, *rest, key=1):
        here()


thing = Thing()
bound_exact, bound_general = thing.method, thing.open_method


@callee("general")
def defaulted(a, b=2, c=3):
    here()


@callee("general")
def open_arguments(*rest, **named):
    here()


@callee("general")
def keyword_only(a, *, b):
    here()


@callee("keywords")
def by_keyword(a, b=1):
    here()


class Keyed:
    @callee("keywords")
    def method(self, a, b=1):
        here()


keyed = Keyed()
bound_keyed = keyed.method


@scenario
def calls_exact(i):
    exact(exact(i, 1), nothing())
    thing.method(i)
    Thing.static(i)
    Thing.of_class(i)
    bound_exact(i)
    (lambda: here())()


@scenario
def calls_general(i):
    defaulted(i)
    defaulted(i, 1)
    open_arguments(i, i)
    thing.open_method(i, i)
    bound_general(i)


@scenario
def calls_with_keywords(i):
    by_keyword(a=i, b=2)
    by_keyword(i, b=2)
    keyword_only(i, b=2)
    keyed.method(i, b=2)
    bound_keyed(i, b=i)


@callee("star")
def starred(*rest, **named):
    here()


@scenario
def calls_with_stars(i):
    arguments, named = (i, i), {"a": i}
    starred(*arguments)
    starred(i, *arguments, **named)


@callee("recursive")
def recursive(n):
    here()
    return n if n == 0 else recursive(n - 1) + 1


@scenario
def calls_recursive(i):
    recursive(4)


# --- Functions that are not plain ------------------------------------------------------------------


@callee("made anew")
def inner_template():
    here()


@scenario
def calls_made_anew(i):
    def anew(a):
        here()
        return i

    kinds[anew.__code__] = "made anew"
    anew(i)
    (lambda a: here())(i)


def decorate(function):
    @functools.wraps(function)
    @callee("wrapper")
    def wrapper(*arguments, **named):
        here()
        return function(*arguments, **named)

    return wrapper


@decorate
@callee("star")
def wrapped(a):
    here()


@callee("defaults set")
def changed_defaults(a, b=1):
    here()


changed_defaults.__defaults__ = (5,)


@callee("code set")
def changed_code(a):
    raise AssertionError


@callee("code set")
def code_giver(a):
    here()


changed_code.__code__ = code_giver.__code__
made_by_type = types.FunctionType(callee("made by type")(lambda a: here()).__code__, globals())


@scenario
def calls_of_changed(i):
    wrapped(i)
    changed_defaults(i)
    changed_code(i)
    made_by_type(i)


@callee("several callees")
def one_of_three(a):
    here()


@callee("several callees")
def two_of_three(a):
    here()


@callee("several callees")
def three_of_three(a):
    here()


@scenario
def calls_of_several(i):
    for function in (one_of_three, two_of_three, three_of_three):
        function(i)
    (one_of_three if i % 7 else two_of_three)(i)


class Left:
    @callee("several callees")
    def method(self):
        here()


class Right:
    @callee("several callees")
    def method(self):
        here()


lefts_and_rights = [Left(), Right()]


@scenario
def calls_of_several_methods(i):
    for each in lefts_and_rights:
        each.method()


class Base:
    @callee("super")
    def method(self):
        here()


class Derived(Base):
    def method(self):
        super().method()
        return super(Derived, self).method()


derived = Derived()


@scenario
def calls_super(i):
    derived.method()


# --- Attributes, items, operators ------------------------------------------------------------------


class Attributes:
    @property
    @callee("property")
    def value(self):
        here()
        return 1

    @value.setter
    @callee("setter")
    def value(self, value):
        here()

    @callee("item")
    def __getitem__(self, key):
        here()
        return key

    @callee("set item")
    def __setitem__(self, key, value):
        here()


class Overriding:
    @callee("getattribute")
    def __getattribute__(self, name):
        here()
        return 1


class Missing:
    @callee("getattr")
    def __getattr__(self, name):
        here()
        return 1


class Descriptor:
    @callee("descriptor")
    def __get__(self, instance, owner):
        here()
        return 1


class Described:
    member = Descriptor()


attributes, overriding, missing, described = Attributes(), Overriding(), Missing(), Described()


@scenario
def uses_attributes(i):
    attributes.value
    attributes.value = i
    attributes[i]
    attributes[i] = 1
    overriding.anything
    missing.anything
    described.member


class Operators:
    @callee("operator")
    def __add__(self, other):
        here()
        return self

    @callee("operator")
    def __iadd__(self, other):
        here()
        return self

    @callee("operator")
    def __eq__(self, other):
        here()
        return True

    @callee("operator")
    def __lt__(self, other):
        here()
        return True

    @callee("operator")
    def __hash__(self):
        here()
        return 1

    @callee("operator")
    def __neg__(self):
        here()
        return self

    @callee("operator")
    def __bool__(self):
        here()
        return True

    @callee("operator")
    def __contains__(self, item):
        here()
        return True

    @callee("operator")
    def __len__(self):
        here()
        return 1

    @callee("operator")
    def __format__(self, spec):
        here()
        return ""

    @callee("operator")
    def __repr__(self):
        here()
        return ""

    @callee("operator")
    def __call__(self, a):
        here()


operators = Operators()


@scenario
def uses_operators(i):
    total = operators + i
    total += operators
    operators == total
    operators < total
    {operators: 1}
    -operators
    if operators and not operators:
        pass
    i in operators
    len(operators)
    f"{operators}{operators!r}"
    operators(i)


# --- Classes, with, finalisers, C code -------------------------------------------------------------


class Simple:
    @callee("class")
    def __init__(self, a):
        here()


class WithNew:
    @callee("class from C")
    def __new__(cls, *rest):
        here()
        return object.__new__(cls)

    @callee("class from C")
    def __init__(self, *rest):
        here()


class Meta(type):
    @callee("class from C")
    def __call__(cls):
        here()
        return 1


class OfMeta(metaclass=Meta):
    pass


@scenario
def makes_instances(i):
    Simple(i)
    WithNew(i)
    OfMeta()


class Manager:
    @callee("with")
    def __enter__(self):
        here()

    @callee("with")
    def __exit__(self, *exception):
        here()
        return True


manager = Manager()


@contextlib.contextmanager
def managed():
    here()
    yield
    here()


@scenario
def uses_with(i):
    with manager:
        here()
    with manager:
        raise ValueError
    with managed():
        here()


class Finalised:
    @callee("finaliser")
    def __del__(self):
        here()


@callee("finaliser")
def on_death(reference):
    here()


@scenario
def drops_references(i):
    local = Finalised()
    local = None
    Finalised()
    reference = weakref.ref(Finalised(), on_death)
    del reference
    local = Finalised()
    del local
    cycle = Finalised()
    cycle.cycle = cycle


@scenario
def drops_at_return(i):
    local = Finalised()
    return nothing()


@callee("signal")
def on_signal(number, frame):
    here()


signal.signal(signal.SIGUSR1, on_signal)


@scenario
def is_interrupted(i):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGUSR1)
        exact(1, 2)


@callee("from C")
def from_c(a, b=None):
    here()
    return a


@scenario
def calls_from_c(i):
    sorted([2, 1], key=from_c)
    list(map(from_c, [1]))
    functools.partial(from_c, 1)()
    max(1, 2, key=from_c)
    functools.reduce(from_c, [1, 2])
    eval("from_c(1)")
    exec("from_c(1)")
    getattr(attributes, "value")


@scenario
def makes_classes(i):
    if i % 50 == 0 or is_telling:
        class Body:
            here()

            @callee("from C")
            def __init_subclass__(cls):
                here()

            @callee("from C")
            def __set_name__(self, owner, name):
                here()

        class Below(Body):
            member = Body()


# --- Generators and coroutines ---------------------------------------------------------------------


@callee("generator")
def counts(n):
    here()
    for i in range(n):
        yield i
        here()


@callee("generator")
def delegates(n):
    here()
    yield from counts(n)
    here()


class Iterator:
    def __init__(self):
        self.left = 2

    def __iter__(self):
        here()
        return self

    @callee("iterator")
    def __next__(self):
        here()
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return 1


@scenario
def iterates(i):
    for _ in counts(2):
        here()
    for _ in delegates(2):
        pass
    for _ in Iterator():
        pass
    [j for j in counts(2)]
    sum(j for j in counts(2))
    list(counts(2))
    first, *rest = counts(2)
    first, second = counts(2)
    {**{}, "a": next(counts(1))}
    for a, b in zip(counts(2), counts(2)):
        pass


@callee("coroutine")
async def awaited(n):
    here()
    await asyncio.sleep(0)
    here()
    return n


@callee("coroutine")
async def awaits(n):
    here()
    return await awaited(n)


class Awaitable:
    @callee("generator")
    def __await__(self):
        here()
        yield
        here()


class AsyncManager:
    @callee("coroutine")
    async def __aenter__(self):
        here()

    @callee("coroutine")
    async def __aexit__(self, *exception):
        here()


@callee("asynchronous generator")
async def async_counts(n):
    here()
    for i in range(n):
        yield i
        here()


async def asynchronous():
    for i in range(20):
        await awaits(i)
        await Awaitable()
        async with AsyncManager():
            here()
        async for _ in async_counts(2):
            here()
        [j async for j in async_counts(2)]
        await asyncio.gather(awaited(1), awaited(2))


@scenario
def runs_coroutines(i):
    if i % 20 == 0 or is_telling:
        asyncio.run(asynchronous())


@callee("generator")
def catches():
    try:
        here()
        yield 1
    except ValueError:
        here()
        yield 2


def passes_on():
    yield from catches()


@scenario
def throws(i):
    generator = passes_on()
    next(generator)
    generator.throw(ValueError())
    generator.close()


# --- Instructions with EXTENDED_ARG ----------------------------------------------------------------

exec("def wide(i):\n    if i < 0:\n" + "".join("        n%d.m%d\n" % (n, n) for n in range(300))
     + "    attributes.value\n    exact(i, nothing())\n    open_arguments(" + ", ".join(["i"] * 300) + ")\n")
scenario(wide)  # noqa: F821


# --- A storm: sites that change their minds --------------------------------------------------------

dice = random.Random(1)
TEMPLATES = ["a, b", "a, b=1", "a, b, *c", "a, b, c=3", "*a", "a, b, **c"]
pool = []


def make_function():
    text = "def stormy(%s):\n    here()\n" % dice.choice(TEMPLATES)
    space = {}
    exec(text, globals(), space)
    kinds[space["stormy"].__code__] = "storm"
    return space["stormy"]


def make_class():
    return callee_class(make_function())


def callee_class(function):
    return type("Stormy", (), {"__init__": lambda self, a, b: here(), "method": function,
                               "__call__": lambda self, a, b: here()})


def storm_calls(f, g, h):
    f(1, 2)
    g(1, 2)
    for each in (f, g, h):
        each(1, 2)
    h(1, 2)


def change(function):
    what = dice.randrange(4)
    if what == 0:
        function.__defaults__ = (7, 7)
    elif what == 1:
        function.__code__ = make_function().__code__
    elif what == 2:
        function.__kwdefaults__ = None


@scenario
def storms(i):
    if i % 10 == 0:
        pool[:] = [make_function() for _ in range(4)] + [make_class(), make_class()(1, 2)]
    if i % 13 == 0:
        change(pool[0])
    for _ in range(10):
        storm_calls(*[dice.choice(pool) for _ in range(3)])


# --- A forest: many functions that call each other, and are replaced ---------------------------------

LEVELS, WIDTH, FOREST_ROUNDS = 5, 40, 30
SIGNATURES = ["n", "n", "n, b=1", "*a", "n, **c"]
forest = {}


def plant(level, place):
    """A new function of that name, which calls functions one level below."""
    lines = ["def tree_%d_%d(%s):" % (level, place, dice.choice(SIGNATURES)), "    here()"]
    for _ in range(2 if level + 1 < LEVELS else 0):
        below = "tree_%d_%d(1)" % (level + 1, dice.randrange(WIDTH))
        other = "tree_%d_%d" % (level + 1, dice.randrange(WIDTH))
        lines.append("    " + dice.choice([below, below, below, "any_of(%s, %s)(1)" % (below[:-3], other)]))
    exec("\n".join(lines), forest)


def any_of(*functions):
    here()
    return dice.choice(functions)


@scenario
def runs_a_forest(i):
    if i == 0:
        forest.update(here=here, any_of=any_of)
        for place in range(LEVELS * WIDTH):
            plant(*divmod(place, WIDTH))
    if i < FOREST_ROUNDS:
        for place in range(WIDTH):
            forest["tree_0_%d" % place](1)
        for _ in range(2):
            plant(dice.randrange(LEVELS), dice.randrange(WIDTH))


# --- Hot loops, for a just-in-time compiler --------------------------------------------------------


def hot(times):
    total = 0
    for j in range(times):
        total += exact(j, 1)
        defaulted(thing.method(j))
        by_keyword(a=j, b=2)
        attributes.value
        attributes[j]
        Simple(j)
        for _ in counts(1):
            total += 1
        while total > 10:
            nothing()
            total = 0
    return total


@scenario
def spins(i):
    if sys.argv[1] == "hot" and (is_telling or i == 0):
        hot(20 if is_telling else 6000)


# --- Running ---------------------------------------------------------------------------------------


def report_to_a_tool():
    tool, events = sys.monitoring.PROFILER_ID, sys.monitoring.events
    sys.monitoring.use_tool_id(tool, "test")
    for event in (events.LINE, events.CALL, events.PY_START):
        sys.monitoring.register_callback(tool, event, lambda *arguments: None)
    sys.monitoring.set_events(tool, events.LINE | events.CALL | events.PY_START)


def run_all():
    global is_telling
    for run in scenarios:
        for i in range(ROUNDS):
            run(i)
        if sys.argv[1] == "instrumented":
            report_to_a_tool()
        is_telling = True
        for i in range(TOLD_ROUNDS):
            run(ROUNDS + i)
            if i == 0:
                gc.collect()
        is_telling = False
        if sys.argv[1] == "instrumented":
            sys.monitoring.set_events(sys.monitoring.PROFILER_ID, 0)
            sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)


def with_inner(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from with_inner(constant)


def tell_all():
    functions = [each for each in gc.get_objects() if isinstance(each, types.FunctionType)]
    known = [function.__code__ for function in functions] + list(seen.values())
    codes = {id(inner): inner for each in known for inner in with_inner(each)}
    for code in codes.values():
        say("code", id(code), code.co_flags, code.co_name)
    for function in functions:
        say("function", id(function), id(function.__code__))
    for edge in true_calls:
        say("true", *edge)
    if getattr(getattr(sys, "_jit", None), "is_enabled", bool)():
        say("jit", id(hot.__code__))
    say("end")
    os.read(0, 1)


def main():
    run_all()
    tell_all()


main()
