#!/usr/bin/env python3
"""What our call sites say of calls that truly happen, and that they name nobody who was never called."""

import subprocess
from collections import Counter, namedtuple
from pathlib import Path

from harness import (
    TARGET_ENVIRONMENT, Skip, case, every, expect, expect_equal, interpreters, main, with_a_jit)
from pieces import knowing_program

TARGET = Path(__file__).with_name("callsites_target.py")

Site = namedtuple("Site", "kind pushes offset version opcode")
Edge = namedtuple("Edge", "kind caller callee names site is_entered is_code_named is_function_named")


class Facts:
    """Answers about the target, from its live memory."""

    def __init__(self, work, pid, label):
        self.process = work.start(
            [knowing_program("callsites_facts"), str(pid), label], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        question = " ".join(map(str, words))
        self.process.popen.stdin.write(question + "\n")
        self.process.popen.stdin.flush()
        answer = self.process.popen.stdout.readline().strip()
        expect(answer and answer != "?" or words[0] == "sites" and not answer, f"no answer: {question}")
        return answer.split()

    def site(self, code, offset):
        kind, pushes, at, version, opcode = self.ask("at", code, offset)
        return Site(kind, pushes == "1", int(at), int(version), opcode)

    def number(self, *words):
        return int(self.ask(*words)[0])


class Heard:
    """What the target said and what was found in it meanwhile."""

    def __init__(self):
        self.edges = []
        self.names = {}  # code -> name
        self.is_provable = {}  # code -> whether its flags allow it
        self.functions = {}  # function -> code
        self.calls = set()  # (caller's code, offset of the instruction, callee's code)
        self.compiled = None  # code of the function for the just-in-time compiler


def edge_of(facts, words):
    kind, caller, offset, caller_frame, callee, callee_frame, names = words
    site = facts.site(caller, offset)
    answers = facts.ask("call", caller_frame, callee_frame, callee, site.version)
    return Edge(kind, int(caller), int(callee), names, site, *(answer == "1" for answer in answers))


def listen(target, facts):
    """Asks about each edge while the target waits, up to its end."""
    heard = Heard()
    for line in target.popen.stdout:
        what, *words = line.split()
        if what == "edge":
            heard.edges.append(edge_of(facts, words))
            target.popen.stdin.write("x")
            target.popen.stdin.flush()
        elif what == "code":
            heard.names[int(words[0])] = words[2]
            heard.is_provable[int(words[0])] = facts.number("can", words[1]) == 1
        elif what == "function":
            heard.functions[int(words[0])] = int(words[1])
        elif what == "true":
            caller, offset, callee = map(int, words)
            heard.calls.add((caller, facts.site(caller, offset).offset, callee))
        elif what == "jit":
            heard.compiled = int(words[0])
        elif what == "end":
            return heard
    raise AssertionError("the target ended too early")


def start(work, interpreter, mode, **environment):
    command = [*interpreters.enter_command(interpreter.root), interpreter.python]
    command += ["-c", TARGET.read_text(), mode]  # not -I, which would not look at PYTHON_JIT
    target = work.start(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**TARGET_ENVIRONMENT, **environment})
    label = f"3.{interpreter.minor}" + ("t" if interpreter.is_free_threaded else "")
    return target, Facts(work, target.pid, label)


# -- what must be so --------------------------------------------------------------------------------


def shown(edges):
    return [f"{e.kind} {e.names}: {e.site}, entered {e.is_entered}" for e in edges[:20]]


def expect_none(edges, what):
    expect(not edges, f"{len(edges)} {what}:", *shown(edges))


def expect_sites_of_true_calls(edges):
    """Whatever happens must be possible."""
    expect_none([e for e in edges if e.site.kind == "NONE"], "true calls from where nothing calls")
    astray = [e for e in edges if not e.is_entered and not e.site.pushes]
    expect_none(astray, "true calls without C code, from where only C code calls")


def expect_no_suspendable_names(heard):
    """So that what callsite_can_prove() forbids is no loss."""
    resumed = [e for e in heard.edges if not heard.is_provable[e.callee]]
    expect(len(resumed) > 15, "too few frames of generators")
    expect_none([e for e in resumed if e.is_code_named or e.is_function_named], "names of generators")


def versions_of(facts, heard):
    """{version: code}; a version must be one code's, whoever has it."""
    owners = {}
    told = [(facts.number("code", code), code) for code in heard.names]
    told += [(facts.number("function", function), code) for function, code in heard.functions.items()]
    for version, code in told:
        if version > 1:  # 1 says that a function has lost it, from 3.14
            expect_equal(owners.setdefault(version, code), code, f"code with version {version}")
    return owners


def expect_no_false_names(facts, heard):
    """Each call site of the program that names a function which tells of its calls must have called it.
    Calling a generator makes it, but pushes none of its frames. Returns how many sites there were, and
    those that name nobody we know of."""
    owners = versions_of(facts, heard)
    telling = {caller for caller, _, callee in heard.calls if heard.names[callee] == "here"}
    callees = {callee for callee in telling if heard.is_provable[callee]}
    audited, false, nobodys = 0, [], []
    for caller in heard.names:
        for site in facts.ask("sites", caller):
            offset, version = map(int, site.split(":"))
            callee = owners.get(version)
            if callee is None:
                nobodys.append(f"{heard.names[caller]} at {offset}: version {version}")
            if callee in callees:
                audited += 1
                if (caller, offset, callee) not in heard.calls:
                    false.append(f"{heard.names[caller]} at {offset}: {heard.names[callee]}, version {version}")
    expect(not false, f"{len(false)} of {audited} call sites name who was never called:", *false[:20])
    return audited, nobodys


def expect_to_be_found_again(facts, heard):
    """From a callee's version back to the site."""
    for edge in heard.edges:
        if edge.is_code_named or edge.is_function_named:
            # It may have become another site's meanwhile; then it is in none.
            count, offset = map(int, facts.ask("of", edge.caller, edge.site.offset, edge.site.version))
            now = facts.site(edge.caller, edge.site.offset)
            if now.version == edge.site.version:
                expect_equal((count > 0, offset), (True, edge.site.offset), f"site of {edge.names}")


# -- how far it reaches -----------------------------------------------------------------------------


def report(label, edges):
    """Prints, for each kind of call, how many call sites said whom they call."""
    for kind in sorted({e.kind for e in edges}):
        of_kind = [e for e in edges if e.kind == kind]
        right = sum(e.is_code_named or e.is_function_named for e in of_kind)
        by_code = sum(e.is_code_named for e in of_kind)
        sites = Counter(f"{e.site.kind}{'' if e.is_entered else '/direct'} {e.site.opcode}" for e in of_kind)
        print(f"# {label} {kind}: {right} of {len(of_kind)} ({by_code} by code): "
              + ", ".join(f"{count} {name}" for name, count in sites.most_common()))


NOBODYS = 4
# Kinds of calls that are all to be named, and in which minor versions; C code calls some of them too.
NAMED_IN = {
    "exact": range(11, 100), "recursive": range(11, 100), "super": range(11, 100), "item": [11],
    "made-anew": range(12, 100), "getattribute": range(12, 100), "property": [12, 13, *range(15, 100)],
    "wrapper": range(13, 100), "keywords": range(14, 100)}


def specialises(interpreter):
    return interpreter.minor >= (14 if interpreter.is_free_threaded else 11)


def expect_names(interpreter, edges):
    """The bytecode says of these whom they call: else the rest of this test would show nothing."""
    if not specialises(interpreter):
        return
    for kind in [kind for kind, minors in NAMED_IN.items() if interpreter.minor in minors]:
        of_kind = [e for e in edges if e.kind == kind and not e.is_entered]
        expect(of_kind, f"no calls of kind {kind}")
        expect_none([e for e in of_kind if not e.is_code_named and not e.is_function_named],
                    f"of {len(of_kind)} calls of kind {kind} are not named")


def look(work, interpreter, mode, **environment):
    """Everything that must be so in any mode; returns what was heard."""
    target, facts = start(work, interpreter, mode, **environment)
    heard = listen(target, facts)
    report(f"{interpreter.label} {mode}", heard.edges)
    expect(len(heard.edges) > 150 and len(heard.calls) > 1000, "too few calls")
    expect_sites_of_true_calls(heard.edges)
    expect_no_suspendable_names(heard)
    audited, nobodys = expect_no_false_names(facts, heard)
    expect_to_be_found_again(facts, heard)
    print(f"# {interpreter.label} {mode}: {len(heard.edges)} edges, {audited} names audited, {len(nobodys)} nobody's")
    expect(audited > 200 or not specialises(interpreter), "too few names audited")
    # From 3.13 on versions are those of code objects, of which few have gone.
    expect(len(nobodys) <= NOBODYS or interpreter.minor < 13, "too many names of nobody:", *nobodys)
    return heard, facts


@case(over=every)
def call_sites(work, interpreter):
    heard, _ = look(work, interpreter, "plain")
    expect_names(interpreter, heard.edges)


@case(over=lambda: [i for i in every() if i.minor >= 12])
def call_sites_that_report_to_a_tool(work, interpreter):
    heard, _ = look(work, interpreter, "instrumented")
    expect(any(e.site.opcode.startswith("INSTRUMENTED_CALL") for e in heard.edges), "not instrumented")


@case(over=with_a_jit)
def call_sites_in_hot_loops(work, interpreter):
    heard, facts = look(work, interpreter, "hot", PYTHON_JIT="1")
    if not heard.compiled:
        raise Skip("not built with a just-in-time compiler")
    expect(facts.number("hidden", heard.compiled) > 0, "nothing was compiled")


if __name__ == "__main__":
    raise SystemExit(main())
