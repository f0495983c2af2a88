"""Spends its time in C code that Python calls, and that calls Python: native.py FORM.

sleep     in a system call
hashlib   in a library of its own, without the GIL
sorting   in a callback of a callback of the interpreter's sort
zlib      in another library
json      in an extension module that calls back
family    in one library, and a child of it in another
"""

import functools
import hashlib
import json
import os
import sys
import threading
import time
import zlib

from truth import ready


def sleep():
    time.sleep(1000)


def hash_much():
    data = b"x" * 10000000
    while True:
        hashlib.sha256(data).digest()


class Key:
    def __init__(self, number):
        self.number = number

    def __lt__(self, other):
        return self.weigh() < other.weigh()

    def weigh(self):
        return functools.reduce(lambda a, b: a + b % 7, range(self.number % 50), 0)


def sort_much():
    while True:
        sorted(map(Key, range(200, 0, -1)), key=lambda key: key)


def compress_much():
    data = bytes(range(256)) * 40000
    while True:
        zlib.compress(data, 9)


def compress_while(parent):
    data = bytes(range(256)) * 40000
    while os.getppid() == parent:
        zlib.compress(data, 9)


def have_a_child():
    parent = os.getpid()
    if os.fork() == 0:
        compress_while(parent)
        os._exit(0)
    hash_much()


def default(number):
    return [number.real, [str(number)] * 20]


def dump_much():
    data = [complex(n, 1) for n in range(1000)]
    while True:
        json.dumps(data, default=default)


FORMS = {"sleep": sleep, "hashlib": hash_much, "sorting": sort_much, "zlib": compress_much, "json": dump_much,
         "family": have_a_child}


def main(form):
    """Once more in a thread, whose stack begins otherwise."""
    if form != "family":
        threading.Thread(target=FORMS[form], daemon=True).start()
    ready(form=form)
    FORMS[form]()


if __name__ == "__main__":
    main(sys.argv[1])
