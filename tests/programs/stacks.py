"""Stands still in every kind of frame, a thread each, and says what its stacks are.

stacks.py [CALLS]: how often to call something before standing in it.
Ends when standard input is closed.
"""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import functools
import importlib
import json
import operator
import os
import queue
import re
import sys
import threading
import time
import weakref
import _thread

from truth import lines_marked, ready, stack_of, threads_now, wait_until_still

GATE, GATE_END = os.pipe()
WARM = int(sys.argv[1]) if len(sys.argv) > 1 else 200  # enough for a call site to be specialised

places = []


def place(function):
    places.append(function)
    return function


def stand():
    os.read(GATE, 1)


def stand_if(armed):
    if armed:
        stand()


def warmed(call):
    """Calls with False often enough to be specialised, then with True."""
    for turn in range(WARM + 1):
        call(turn == WARM)


# -- ways to stand ------------------------------------------------------------------------------


@place
def in_pipe():
    os.read(GATE, 1)


@place
def in_sleep():
    time.sleep(100000)


@place
def in_lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@place
def in_queue():
    queue.Queue().get()


@place
def in_event():
    threading.Event().wait(100000)


@place
def in_pool():
    with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        pool.submit(stand).result()


# -- calls --------------------------------------------------------------------------------------


def descend(depth, armed=True):
    if depth == 0:
        return stand_if(armed)
    return descend(depth - 1, armed) or depth


@place
def recursion():
    descend(30)


def is_even(number):
    return not is_odd(
        number - 1,
    )


def is_odd(number):
    if number == 1:
        stand()
    return not is_even(number - 1)


@place
def mutual_recursion():
    is_even(12)


def wide(depth):
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9 = range(10)
    b0, b1, b2, b3, b4, b5, b6, b7, b8, b9 = range(10)
    if depth:
        return wide(depth - 1)
    stand()
    return (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9)


@place
def over_many_chunks():
    wide(700)


def any_arguments(*args, key=None, **rest):
    return stand_if(args[0])


@place
def star_call():
    warmed(lambda armed: any_arguments(*[armed, 1], **{"key": 2, "other": 3}))


@place
def keyword_call():
    warmed(lambda armed: any_arguments(armed, 1, key=2))


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        result = function(*args, **kwargs)
        return result

    return wrapper


@logged
@logged
def decorated_function(armed):
    stand_if(armed)


@place
def decorated():
    warmed(decorated_function)


@functools.lru_cache(None)
def cached_function(armed):
    stand_if(armed)


@place
def lru_cached():
    warmed(cached_function)


@place
def closure():
    outer = []

    def inner(armed):
        outer.append(armed)
        stand_if(armed)

    warmed(inner)


@place
def lambdas():
    twice = lambda armed: (lambda again: stand_if(again))(armed)
    warmed(twice)


# -- generators and coroutines ------------------------------------------------------------------


def counted(armed):
    yield 1
    stand_if(armed)
    yield 2


def delegated(armed):
    yield 0
    yield from counted(armed)


def twice_delegated(armed):
    yield from delegated(armed)


@place
def generator():
    def use(armed):
        for _ in counted(armed):
            pass

    warmed(use)


@place
def yield_from():
    warmed(lambda armed: list(twice_delegated(armed)))


def receiver():
    armed = False
    while True:
        armed = yield
        stand_if(armed)


@place
def generator_send():
    running = receiver()
    next(running)
    warmed(lambda armed: running.send(armed))


async def deepest(armed):
    stand_if(armed)
    return armed


async def deeper(armed):
    return await deepest(armed)


async def deep(armed):
    for _ in range(WARM):
        await deeper(False)
    return await deeper(armed)


@place
def coroutine():
    asyncio.run(deep(True))


async def gathered():
    await asyncio.gather(asyncio.sleep(100000), deep(True))


@place
def coroutine_in_task():
    asyncio.run(gathered())


async def ticks(armed):
    for turn in range(3):
        yield turn
        if turn == 1:
            stand_if(armed)


class Session:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        async for _ in ticks(True):
            pass


async def use_session():
    async with Session():
        await asyncio.sleep(0)


@place
def async_generator():
    asyncio.run(use_session())


async def collected():
    return [tick async for tick in ticks(True)]


@place
def async_comprehension():
    asyncio.run(collected())


# -- classes ------------------------------------------------------------------------------------


class Base:
    def __init__(self, armed):
        self.armed = armed
        stand_if(armed)


class Derived(Base):
    def __init__(self, armed):
        super().__init__(armed)


class Made:
    def __new__(cls, armed):
        stand_if(armed)
        return super().__new__(cls)


class Meta(type):
    def __call__(cls, armed):
        return super().__call__(armed)


class WithMeta(Base, metaclass=Meta):
    pass


class Odds:
    def __init__(self):
        self.armed = False

    @property
    def value(self):
        return stand_if(self.armed)

    def __getattr__(self, name):
        return stand_if(self.armed)

    def __getitem__(self, key):
        return stand_if(key)

    def __add__(self, other):
        return stand_if(other)

    def __call__(self, armed):
        return stand_if(armed)

    def __eq__(self, other):
        return not stand_if(other)

    @staticmethod
    def static(armed):
        stand_if(armed)

    @classmethod
    def of_class(cls, armed):
        cls.static(armed)

    def _private(self, armed):
        self.of_class(armed)


class Described:
    class Field:
        def __get__(self, instance, owner):
            return stand_if(instance.armed)

        def __set_name__(self, owner, name):
            self.name = name

    field = Field()
    armed = False


@place
def class_init():
    warmed(lambda armed: Base(armed))


@place
def class_init_of_super():
    warmed(lambda armed: Derived(armed))


@place
def class_new():
    warmed(lambda armed: Made(armed))


@place
def metaclass_call():
    warmed(lambda armed: WithMeta(armed))


@place
def class_body():
    class Standing:
        stand()

        class Nested:
            pass


@place
def read_property():
    odds = Odds()

    def read(armed):
        odds.armed = armed
        return odds.value

    warmed(read)


@place
def missing_attribute():
    odds = Odds()

    def read(armed):
        odds.armed = armed
        return odds.nothing_here

    warmed(read)


@place
def descriptor():
    described = Described()

    def read(armed):
        described.armed = armed
        return described.field

    warmed(read)


@place
def subscript():
    odds = Odds()
    warmed(lambda armed: odds[armed])


@place
def operator_method():
    odds = Odds()
    warmed(lambda armed: odds + armed)


@place
def callable_object():
    odds = Odds()
    warmed(lambda armed: odds(armed))


@place
def in_list():
    odds = Odds()
    warmed(lambda armed: armed in [odds])


@place
def methods():
    odds = Odds()
    warmed(lambda armed: odds._private(armed))


# -- called back from C -------------------------------------------------------------------------


@place
def sorted_key():
    warmed(lambda armed: sorted([armed], key=lambda item: stand_if(item) or 0))


@place
def mapped():
    warmed(lambda armed: list(map(stand_if, [False, armed])))


@place
def partial():
    warmed(functools.partial(any_arguments, key=1))


@place
def substituted():
    warmed(lambda armed: re.sub("a", lambda match: stand_if(armed) or "b", "cat"))


@place
def reduced():
    warmed(lambda armed: functools.reduce(lambda a, b: stand_if(b), [0, False, armed]))


@place
def smallest():
    warmed(lambda armed: min([False, armed], key=stand_if) if armed else 0)


@place
def method_caller():
    warmed(lambda armed: operator.methodcaller("of_class", armed)(Odds))


@place
def foreign_callback():
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

    def called(armed):
        stand_if(armed)
        return 0

    warmed(kind(called))


@place
def encoder_hook():
    class Unknown:
        pass

    def default(_):
        stand()
        return 0

    json.dumps({"key": [Unknown()]}, default=default)


@place
def finalizer():
    class Dying:
        def __del__(self):
            stand()

    dying = Dying()
    del dying


@place
def weak_callback():
    class Referent:
        pass

    referent = Referent()
    kept = weakref.ref(referent, lambda _: stand())
    del referent
    return kept


# -- inside other syntax ------------------------------------------------------------------------


@place
def comprehensions():
    def use(armed):
        return [
            {inner: stand_if(inner) for inner in [outer]}
            for outer in (False, armed)
        ]

    warmed(use)


@place
def generator_expression():
    warmed(lambda armed: sum(stand_if(item) or 0 for item in (False, armed)))


@place
def executed():
    source = "\n\ndef called():\n    stand()\n\n\ncalled()\n"
    exec(compile(source, "<odd file> (1):2.py", "exec"), {"stand": stand})


@place
def evaluated():
    eval("[0,\n stand()]", {"stand": stand})


@place
def except_block():
    try:
        raise KeyError("one")
    except KeyError:
        try:
            raise ValueError("two") from None
        except ValueError:
            stand()


@place
def finally_block():
    for _ in range(2):
        try:
            continue
        finally:
            stand()


class Guard:
    def __init__(self, stop_at):
        self.stop_at = stop_at

    def __enter__(self):
        stand_if(self.stop_at == "enter")

    def __exit__(self, *exception):
        stand_if(self.stop_at == "exit")


@place
def with_enter():
    with Guard("enter"):
        pass


@place
def with_exit():
    with Guard("none") as first, Guard("exit") as second:
        assert first is second is None


@place
def with_inside():
    with Guard("none"), \
            Guard("none"):
        stand()


@contextlib.contextmanager
def managed():
    yield
    stand()


@place
def context_manager():
    with managed():
        pass


@place
def import_chain():
    importlib.import_module("chain.one")


@place
def many_lines():
    stand_if(False)
    result = [
        stand_if(False),
        # a call that spans lines, with a jump backwards in its table
        any_arguments(
            True,
            key=(
                1,
                2,
            ),
        ),
    ]
    return result


@place
def traced():
    def tracer(frame, event, argument):
        return tracer

    sys.settrace(tracer)
    warmed(lambda armed: descend(3, armed))


@place
def in_tracer():
    def tracer(frame, event, argument):
        if frame.f_code.co_name == "closure":
            sys.settrace(None)
            stand()

    sys.settrace(tracer)
    closure()


@place
def profiled():
    sys.setprofile(lambda frame, event, argument: None)
    stand()


# -- the report ---------------------------------------------------------------------------------

raw = {}


def raw_thread():
    raw["ident"], raw["tid"] = _thread.get_ident(), _thread.get_native_id()
    stand()


def start_all():
    for function in places:
        threading.Thread(target=function, name=function.__name__, daemon=True).start()
    threading.Thread(target=stand, name="名前 \"quoted\" é", daemon=True).start()
    _thread.start_new_thread(raw_thread, ())


def report():
    """Says where every thread stands, this one included: it will stand on the line marked wait."""
    wait_until_still()
    here = stack_of(sys._getframe())
    here[0].update(line=lines_marked(__file__)["wait"], column=None)
    threads = threads_now(skip=[threading.main_thread()])
    threads.append({
        "tid": threading.main_thread().native_id, "name": "MainThread", "main": True,
        "frames": here})
    threads.append({
        "tid": raw["tid"], "name": None, "main": False,
        "frames": stack_of(sys._current_frames()[raw["ident"]])})
    ready(threads=threads, count=len(sys._current_frames()))
    sys.stdin.read()  #@ wait


if __name__ == "__main__":
    start_all()
    report()
    os._exit(0)
