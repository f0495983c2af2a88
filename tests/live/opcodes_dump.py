"""Runs under each Python (3.8 and later): says what its opcodes are, and of many code objects where
their instructions are.

Prints `opcode NUMBER NAME BASE CACHE_UNITS` for each opcode (BASE is a name); then `code HEX` for the
bytecode of a code object as it is right now, specialised, and `at OFFSET NAME` for each instruction
that this Python's dis sees in it. `begin instrumented` comes before code objects
whose instructions report to a tool.
"""

import ast
import dis
import importlib.util
import json
import opcode
import sys
import textwrap

MODULES = ["argparse", "ast", "collections", "dataclasses", "difflib", "enum", "inspect", "json.decoder",
           "json.encoder", "logging", "pickle", "subprocess", "tarfile", "textwrap", "traceback", "typing"]

# More than 255 names, constants and arguments.
WIDE = "def wide(f, a):\n" + "".join(
    f"    a.name{i} = f.name{i}({i + 1000}, a, name{i}, " + ", ".join(["a"] * (i % 300)) + ")\n" for i in range(320))


# --- Opcodes ---------------------------------------------------------------------------------------


def cache_units(number, name):
    entries = getattr(opcode, "_inline_cache_entries", {})
    if isinstance(entries, list):
        return entries[number]
    return entries.get(name, 0)


def base_name(name):
    if hasattr(dis, "deoptmap") and name in dis.deoptmap:
        return dis.deoptmap[name]
    plain = name[len("INSTRUMENTED_"):] if name.startswith("INSTRUMENTED_") else name
    return plain if plain in opcode.opmap else name


def dump_opcodes():
    for name, number in {**opcode.opmap, **getattr(dis, "_all_opmap", {})}.items():
        if number < 256 and not name.startswith("<"):
            base = base_name(name)
            print("opcode", number, name, base, cache_units(opcode.opmap[base], base))


# --- Code objects ----------------------------------------------------------------------------------


def with_inner(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from with_inner(constant)


def dump(code):
    print("code", getattr(code, "_co_code_adaptive", code.co_code).hex())
    for instruction in dis.get_instructions(code):
        print("at", instruction.offset, instruction.opname)


def work():
    """Runs what is dumped below, so that it is specialised."""
    for i in range(40):
        value = {"a": [1, 2.5, "x" * i, None, True], "b": {"c": [[i]] * 3}}
        assert json.loads(json.dumps(value, indent=1)) == value
        textwrap.wrap("some words to be wrapped into lines " * 3, 20 + i)
        dis.Bytecode(dump).dis()
        ast.dump(ast.parse("def f(a, b=1, *c, d, **e):\n  return [x for x in a if x + b]"))


def loaded_codes():
    work()
    for module in (ast, dis, json.decoder, json.encoder, textwrap, sys.modules["re"]):
        for value in list(vars(module).values()):
            for function in [value, *(vars(value).values() if isinstance(value, type) else ())]:
                if hasattr(function, "__code__"):
                    yield from with_inner(function.__code__)


def compiled_codes():
    for name in MODULES:
        path = importlib.util.find_spec(name).origin
        with open(path, encoding="utf-8") as file:
            yield from with_inner(compile(file.read(), path, "exec"))
    yield from with_inner(compile(WIDE, "wide", "exec"))


# --- Reporting to a tool ---------------------------------------------------------------------------


def instrumented_codes():
    if not hasattr(sys, "monitoring"):
        return
    tool, events = sys.monitoring.PROFILER_ID, sys.monitoring.events
    sys.monitoring.use_tool_id(tool, "test")
    for kinds in (events.LINE, events.CALL | events.PY_START, events.LINE | events.INSTRUCTION | events.CALL):
        sys.monitoring.set_events(tool, kinds)
        yield from loaded_codes()
    sys.monitoring.set_events(tool, 0)


def main():
    dump_opcodes()
    for codes in (compiled_codes(), loaded_codes()):
        for code in codes:
            dump(code)
    print("begin instrumented")
    for code in instrumented_codes():
        dump(code)


main()
