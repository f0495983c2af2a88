#!/usr/bin/env python3
"""--native: the stacks are those that gdb sees, and whatever becomes of us the target runs on."""

import json
import os
import random
import re
import shutil
import signal
import sys
import time
from pathlib import Path

from harness import (
    PROGRAMS, Skip, case, every, expect, expect_equal, expect_likely, expect_refusal, expect_status, functions_of,
    main, newest, newest_here, parse_collapsed, three, wait_until)

HERE = Path(__file__).resolve().parent
FORMS = ("sleep", "hashlib", "sorting", "zlib", "json")
LONG = bool(os.environ.get("PYROMETER_LONG"))
STOPS = 40 if LONG else 3  # of each program
LEAST_AGREEMENT = 0.99


# -- gdb ----------------------------------------------------------------------------------------


def start_gdb(work, interpreter):
    """A gdb that is told PIDs, and tells stacks."""
    if not shutil.which("gdb"):
        raise Skip("no gdb here")
    settings = ["set auto-load off", "set pagination off", "set debuginfod enabled off",
                f"set sysroot {interpreter.root or '/'}"]
    options = [word for setting in settings for word in ("-ex", setting)]
    return work.target_of(["gdb", "-nx", "-q", "-batch", *options, "-x", HERE / "gdb_stacks.py"],
                          word=None, env=dict(os.environ))


def gdb_stacks(gdb, pid):
    gdb.popen.stdin.write(f"{pid}\n".encode())
    gdb.popen.stdin.flush()
    stacks = gdb.hear("STACKS")
    expect("error" not in stacks, f"gdb: {stacks}")
    return {int(tid): frames for tid, frames in stacks.items()}


# -- comparing ----------------------------------------------------------------------------------


def plain(name):
    """One name for all that a function is called by: libraries have several symbols for it."""
    if name is None or "+0x" in name:
        return None
    name = re.split(r"\.(?:cold|part|constprop|isra|lto_priv|localalias|warm)|@", name)[0]
    name = re.sub(r"^_*(?:GI_+|libc_|new_)?", "", name)
    return re.sub(r"(?:_impl|64|_internal)$", "", name)


def is_loop(name):
    return name is None or plain(name) == "PyEval_EvalFrameDefault"


def parts_of(frames):
    """Our stack, newest first: a name for a native frame, a number for as many Python frames."""
    parts = []
    for frame in frames:
        if frame.get("native"):
            parts.append(frame["function"])
        elif parts and isinstance(parts[-1], int):
            parts[-1] += 1
        else:
            parts.append(1)
    return parts


def agreement(ours, theirs):
    """How many of gdb's frames are the same in ours, at best. Python frames stand for calls of the
    evaluation loop: for one at least, and for no more than there are frames."""
    best = [[-1] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    best[0][0] = 0
    for i, part in enumerate(ours):
        for j, score in enumerate(best[i]):
            if score < 0:
                continue
            if isinstance(part, str):
                if j < len(theirs):
                    best[i + 1][j + 1] = max(best[i + 1][j + 1], score + (plain(part) == plain(theirs[j])))
                best[i + 1][j] = max(best[i + 1][j], score)
                continue
            for count in range(1, min(part, len(theirs) - j) + 1):
                loops = sum(map(is_loop, theirs[j:j + count]))
                best[i + 1][j + count] = max(best[i + 1][j + count], score + loops)
    return max(best[-1])


def told(ours, theirs):
    rows = [f"{part} Python" if isinstance(part, int) else part for part in ours]
    return " < ".join(rows), " < ".join(str(name) for name in theirs)


# -- cases --------------------------------------------------------------------------------------


def state_of(pid, tid):
    return re.search(r"^State:\s*(\w)", Path(f"/proc/{pid}/task/{tid}/status").read_text(), re.MULTILINE)[1]


def is_stopped(pid):
    return all(state_of(pid, tid) == "T" for tid in os.listdir(f"/proc/{pid}/task"))


def compare_once(work, gdb, pid, tally):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid), "the target to stop")
    result = work.pyrometer("dump", "--native", "--json", pid)
    expect_status(result, 0)
    seen = gdb_stacks(gdb, pid)
    os.kill(pid, signal.SIGCONT)
    for thread in json.loads(result.out)["threads"]:
        ours = parts_of(thread["frames"])
        theirs = [name for _, name in seen[thread["tid"]]]
        if "<native>" in ours:  # it was not there in time, for all the looks of a dump
            tally["marked"] += len(theirs)
            continue
        same = agreement(ours, theirs)
        tally["frames"] += len(theirs)
        tally["same"] += same
        if same < len(theirs):
            tally["others"].append(told(ours, theirs))


@case(over=every if LONG else three)
def as_gdb_sees_them(work, interpreter):
    """In a stopped process nothing moves, whoever looks."""
    gdb = start_gdb(work, interpreter)
    chance = random.Random(5)
    tally = {"frames": 0, "same": 0, "marked": 0, "others": []}
    for form in FORMS:
        target = work.target(interpreter, "native.py", form)
        for _ in range(STOPS):
            time.sleep(chance.uniform(0, 0.05))
            compare_once(work, gdb, target.pid, tally)
        target.end_now()
    print(f"# {interpreter.label}: {tally['same']} of {tally['frames']} frames agree")
    rows = [row for pair in tally["others"][:5] for row in pair]
    expect_likely(tally["marked"] <= tally["frames"] / 100, f"{tally['marked']} frames lie in stacks with a mark")
    expect(tally["frames"] > 10 * len(FORMS) * STOPS, f"hardly any frames: {tally['frames']}")
    expect(tally["same"] >= LEAST_AGREEMENT * tally["frames"], f"{tally['same']} of {tally['frames']}", *rows)


# Of each form: what must be above which Python function, whatever the version.
BENEATH = {"sleep": ("sleep", "nanosleep|select"), "hashlib": ("hash_much", r"(?i)sha256|libcrypto|_hashlib|_sha2"),
           "zlib": ("compress_much", "(?i)deflate|zlib|libz")}


@case(over=every)
def merged_at_the_right_place(work, interpreter):
    for form, (function, beneath) in BENEATH.items():
        target = work.target(interpreter, "native.py", form)
        path = work.out / f"{form}.collapsed"
        _, stats = work.profile("attach", "--native", "-r", "200", "-d", "0.5", "-o", path, target.pid)
        lines = parse_collapsed(path)
        samples = sum(line.count for line in lines)
        expect_equal((samples, stats["unverified"]), (stats["samples"], 0), "samples, of them unverified")
        whole = right = 0  # a thread that could not be stopped in time, on a busy machine, has a mark
        for line in lines:
            names = [frame.function for frame in line.frames]
            if "<native>" in names:
                continue
            last = max((i for i, name in enumerate(names) if name == function), default=-1)
            above = any(re.search(beneath, f"{f.function} {f.file}") for f in line.frames[last + 1:])
            whole += line.count
            right += line.count * (last > 0 and above)
            expect("_PyEval_EvalFrameDefault" not in names[:last], f"the loop is shown: {line}")
        if form == "sleep":  # nobody need be stopped
            expect_likely(whole >= 5, f"{whole} of {samples} are whole", *map(str, lines[:5]))
        elif whole < 5:
            print(f"# {form} [{interpreter.label}]: the machine is too busy, {whole} of {samples} are whole")
        expect_likely(right >= 0.7 * whole, f"{form}: {right} of {whole} are right", *map(str, lines[:5]))
        target.end_now()


@case(over=newest)
def recorded_and_replayed(work, interpreter):
    target = work.target(interpreter, "native.py", "json")
    recording, direct, again = (work.out / name for name in ("a.pyro", "a.collapsed", "b.collapsed"))
    result, stats = work.profile(
        "attach", "--native", "-r", "200", "-d", "1", "-o", recording, "-o", direct, target.pid)
    expect_status(work.pyrometer("replay", recording, "-o", again, "-o", work.out / "b.jsonl"), 0)
    expect_equal(sorted(parse_collapsed(again)), sorted(parse_collapsed(direct)), "what is replayed")
    rows = [json.loads(line) for line in (work.out / "b.jsonl").read_text().splitlines()]
    expect('"kind":"native"' in (work.out / "b.jsonl").read_text(), f"no native frame in {rows[:3]}")
    expect_likely("stopped it for" in result.err, "nothing is said of pauses:", result.err)
    expect_likely("pauses" in stats and stats["pauses"]["count"] > 0, f"no pauses: {stats}")


@case(over=newest_here)
def waiting_threads_are_left_alone(work, interpreter):
    """They are not stopped, so that their calls are not interrupted."""
    code = "import threading, time\n" \
        "for _ in range(20): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n" \
        "print('READY {}', flush=True)\ntime.sleep(1000)"
    target = work.target(interpreter, "-c", code)
    path = work.out / "p.collapsed"
    _, stats = work.profile("attach", "--native", "-r", "100", "-d", "1", "-o", path, target.pid)
    lines = parse_collapsed(path)
    expect(len(lines) >= 21, f"{len(lines)} stacks of 21 threads")
    whole = [line for line in lines if "<native>" not in functions_of([line])]
    expect_likely(len(whole) == len(lines), "not whole:", *map(str, lines[:3]))
    stops = stats.get("pauses", {}).get("count", 0)
    # One may have been stopped where it could not be unwound at rest, or had just been started.
    expect_likely(stops <= 2 * 21, f"{stops} stops of 21 threads that wait, in {stats['ticks']} ticks")


@case(over=newest_here)
def run_from_the_start(work, interpreter):
    path = work.out / "p.collapsed"
    code = "import time, zlib\nuntil = time.time() + 2\n" \
        "while time.time() < until: zlib.compress(bytes(10000000), 9)\nraise SystemExit(3)"
    command = work.command(interpreter, "-c", code)
    expect_status(work.pyrometer("run", "-n", "-r", "200", "-o", path, "--", *command), 3)
    functions = functions_of(parse_collapsed(path))
    found = any(re.search("(?i)deflate|adler|libz|zlib", name) for name in functions)
    expect_likely(found, f"no zlib in {functions}")


@case(over=newest_here)
def not_both(work, interpreter):
    expect_refusal(work.pyrometer("attach", "--native", "--blocking", os.getpid()), 2, "--blocking")


@case(over=newest_here)
def killed_while_it_looks(work, interpreter):
    """Killed at any moment, the profiler leaves all threads running."""
    target = work.target(interpreter, "native.py", "sorting")
    chance = random.Random(7)
    for kill in range(1000 if LONG else 40):
        profiler = work.profiler("attach", "--native", "-q", "-r", "10khz", target.pid)
        profiler.wait_until_it_samples()
        time.sleep(chance.uniform(0, 0.005))
        profiler.end_now()
        wait_until(lambda: is_free(target.pid), f"the target to be free after kill {kill}", 20)
        before = cpu_of(target.pid)
        wait_until(lambda: cpu_of(target.pid) > before, f"the target to run on after kill {kill}")


def is_free(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        status = Path(f"/proc/{pid}/task/{tid}/status").read_text()
        if not re.search(r"^TracerPid:\s*0$", status, re.MULTILINE) or state_of(pid, tid) in "tT":
            return False
    return True


def cpu_of(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


@case(over=newest_here)
def generated_code(work, interpreter):
    """Python's own trampolines have names in a map (-X perf, 3.12)."""
    if interpreter.minor < 12:
        raise Skip("no trampolines before 3.12")
    target = work.target(interpreter, "-X", "perf", "native.py", "sorting")
    path = work.out / "p.collapsed"
    work.profile("attach", "--native", "-r", "200", "-d", "1", "-o", path, target.pid)
    functions = functions_of(parse_collapsed(path))
    Path(f"/tmp/perf-{target.pid}.map").unlink(missing_ok=True)
    expect(functions["sort_much"] > 0, f"no sort_much in {functions}")
    expect_likely(any(name.startswith("py::") for name in functions), f"no trampoline in {functions}")


@case(over=three)
def native_frames_of_a_family(work, interpreter):
    """Each process of it in its own library."""
    target = work.target(interpreter, "native.py", "family")
    path = work.out / "p.jsonl"
    work.profile("attach", target.pid, "-s", "--native", "-r", "100", "-d", "2", "-o", path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    stacks = [(row["pid"], row["stack"]) for row in rows if row["type"] == "samples"]
    for function, is_parent, libraries in (
            ("hash_much", True, "crypto|hash|sha"), ("compress_while", False, "zlib|libz")):
        its = [stack for pid, stack in stacks
               if (pid == target.pid) == is_parent and function in [frame["function"] for frame in stack]]
        natives = [stack for stack in its if re.search(libraries, os.path.basename(stack[-1]["file"]))]
        expect_likely(len(natives) > len(its) / 2 > 0,
                      f"{function}: {len(natives)} of {len(its)} end in its library", str(its[:3]))


if __name__ == "__main__":
    sys.exit(main())
