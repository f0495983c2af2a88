"""Runs under each Python up to 3.10: finds where the fields lie that its headers do not show.

Each is found by what it must hold, and must be the only such place. Prints the lines of probe.c.
"""

import ctypes
import sys

WORD = ctypes.sizeof(ctypes.c_void_p)


def word_at(address):
    return ctypes.c_size_t.from_address(address).value


def only(places, name):
    places = list(places)
    assert len(places) == 1, (name, places)
    print("place", name, places[0])


def find_words(address, count, value):
    return [WORD * i for i in range(count) if word_at(address + WORD * i) == value]


def keys_of(mapping):
    """PyDictObject.ma_keys; its headers do show that."""
    return word_at(id(mapping) + int(sys.argv[1]))


def values_of(mapping):
    return word_at(id(mapping) + int(sys.argv[2]))


# 60 entries need 128 slots, whose indices have a byte each.
ENTRIES, SLOTS = 60, 128
mapping = {"key %d" % i: i for i in range(ENTRIES)}
keys = keys_of(mapping)
only(find_words(keys, 5, SLOTS), "dict_keys.size")
only(find_words(keys, 5, ENTRIES), "dict_keys.entry_count")

# Behind the indices are the entries: hash, key, value.
first = next(iter(mapping))
entry = [hash(first) % 2**64, id(first), id(mapping[first])]
only([indices for indices in range(0, SLOTS, WORD)
      if [word_at(keys + indices + SLOTS + WORD * i) for i in range(3)] == entry], "dict_keys.indices")


class Shared:
    def __init__(self):
        self.one = "the first"
        self.two = "the second"


# The second instance of a class shares its keys, and has an array of values.
instances = [Shared(), Shared()]
values = values_of(instances[1].__dict__)
only(find_words(values, 2, id(instances[1].one)), "dict_values.array")
only(find_words(id(sys), 6, id(sys.__dict__)), "module.dict")
