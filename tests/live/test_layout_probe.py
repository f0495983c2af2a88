#!/usr/bin/env python3
"""Our layouts say what the headers of each interpreter say, and what the interpreter publishes."""

import re
import subprocess
from pathlib import Path

from harness import BOUND, Skip, case, every, expect, expect_equal, main
from pieces import compile_program, knowing_program, start_script

HERE = Path(__file__).parent
MULTIARCH = "x86_64-linux-gnu"


def label_of(interpreter, free_threaded):
    return f"3.{interpreter.minor}" + ("t" if free_threaded else "")


def facts_of(text):
    """{"place thread.next": "8"} from lines "place thread.next 8"."""
    return {what: value for what, _, value in (line.rpartition(" ") for line in text.splitlines())}


def places_of(facts):
    return {what: value for what, value in facts.items() if what.startswith("place ")}


def expect_same(found, wanted, who, what):
    """Two sets of facts must be the same; says which are not."""
    names = sorted(set(found) | set(wanted))
    different = [
        f"{name}: {who} {found.get(name, 'nothing')}, {what} {wanted.get(name, 'nothing')}"
        for name in names if found.get(name) != wanted.get(name)]
    expect(not different, *different)


def our_layout(label, published=None):
    """Our facts; with `published` those after layout_fill with these bytes."""
    command = [knowing_program("layouts_dump"), label] + (["filled"] if published else [])
    done = subprocess.run(
        command, input=published, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=BOUND)
    expect(done.returncode == 0, f"layouts_dump {label}:", *done.stderr.decode().splitlines())
    return facts_of(done.stdout.decode())


# -- headers ----------------------------------------------------------------------------------------


def include_folder(interpreter):
    prefix = Path((interpreter.root or "") + interpreter.python).parent.parent
    flavour = "t" if interpreter.is_free_threaded else ""
    folder = prefix / "include" / f"python3.{interpreter.minor}{flavour}"
    if not (folder / "internal" / "pycore_pystate.h").exists():
        raise Skip(f"no headers in {folder}")
    return folder


def include_options(work, folder):
    """Debian's pyconfig.h is in the architecture's folder, whose C library is not for us: it gets
    seen under its full name only."""
    alone = work.folder / "architecture"
    alone.mkdir()
    (alone / MULTIARCH).symlink_to(folder.parent / MULTIARCH)
    return [f"-I{alone}", f"-I{folder}"]


def probe(work, interpreter, free_threaded):
    """What the headers say: (facts, hidden fields)."""
    options = include_options(work, include_folder(interpreter))
    flavour = ["-DPy_GIL_DISABLED=1"] if free_threaded else []
    program = compile_program(
        work.folder / "probe", [HERE / "probe.c"], "-w", "-DPy_BUILD_CORE", *flavour, *options)
    said = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    hidden = {line.split()[1] for line in said.splitlines() if line.startswith("hidden ")}
    facts = facts_of("\n".join(line for line in said.splitlines() if not line.startswith("hidden ")))
    version = f"3.{facts['choice minor']}.{facts.pop('choice micro')}"
    release = re.match(r"[\d.]*\d", interpreter.version)[0]  # "3.15.0" of "3.15.0b2"
    expect_equal(version, release, "version of the headers")
    return facts, hidden


def compare_with_headers(work, interpreter, free_threaded):
    theirs, hidden = probe(work, interpreter, free_threaded)
    ours = our_layout(label_of(interpreter, free_threaded))
    unseen = {f"place {name}" for name in hidden}
    print(f"# {interpreter.label}: {len(theirs)} facts in the headers, {len(hidden)} fields hidden")
    expect(unseen <= set(ours), f"we lack what the headers hide: {sorted(unseen - set(ours))}")
    expect_same({k: v for k, v in ours.items() if k not in unseen}, theirs, "ours", "headers")


@case(over=every)
def headers(work, interpreter):
    compare_with_headers(work, interpreter, interpreter.is_free_threaded)


def with_both_flavours():
    return [i for i in every() if i.minor >= 13 and not i.is_free_threaded]


@case(over=with_both_flavours)
def headers_as_if_free_threaded(work, interpreter):
    compare_with_headers(work, interpreter, True)


# -- running interpreters ---------------------------------------------------------------------------


def output_of(interpreter, script, *arguments):
    with start_script(interpreter, HERE / script, *map(str, arguments)) as process:
        out, _ = process.communicate(timeout=BOUND)
    expect_equal(process.returncode, 0, f"exit status of {script}")
    return out


@case(over=lambda: [i for i in every() if i.minor <= 10])
def hidden_from_the_headers(_work, interpreter):
    ours = our_layout(label_of(interpreter, False))
    words = [ours["place dict.keys"], ours["place dict.values"]]
    found = facts_of(output_of(interpreter, "hidden_dump.py", *words).decode())
    expect_same({what: ours.get(what) for what in found}, found, "ours", "found")


@case(over=lambda: [i for i in every() if i.minor >= 13])
def published_by_the_interpreter(_work, interpreter):
    """Where this fails the version has moved something: then the fields that it does not publish
    have to be looked at too."""
    label = label_of(interpreter, interpreter.is_free_threaded)
    ours = our_layout(label)
    published = output_of(interpreter, "published_dump.py", ours["choice published_bytes"])
    filled = our_layout(label, published)
    expect_same(places_of(ours), places_of(filled), "ours", "published")


if __name__ == "__main__":
    raise SystemExit(main())
