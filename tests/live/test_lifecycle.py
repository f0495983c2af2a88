#!/usr/bin/env python3
"""Targets that end, change or cannot be read, and what pyrometer says and leaves behind."""

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from harness import (
    MISSING, PYROMETER, UNVERIFIED, Skip, case, each_version, expect, expect_devices_unharmed, expect_equal,
    expect_likely, expect_refusal, expect_status, functions_of, main, need_root, newest, newest_here,
    own_devices, parse_collapsed, private_mounts, samples_of, three, wait_until, wait_until_asleep)

NOBODY = 65534


def attach_to_puppet(work, interpreter, *options):
    """A spinning puppet and a profiler that has begun to sample it into a collapsed file."""
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", target.pid, "-r", "200", "-o", path, *options)
    profiler.wait_until_it_samples()
    return target, profiler, path


def expect_profile(work, result, path, function="spin"):
    """The run ended well and left one file, which holds this function."""
    expect_status(result, 0)
    work.expect_outputs(path.name)
    lines = parse_collapsed(path)
    expect(functions_of(lines)[function] > 0, f"no {function}() in the profile: {result.err}")
    return lines


# -- the target changes -------------------------------------------------------------------------


@case(over=three)
def target_exits(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    target.order("exit", 3)
    expect_profile(work, profiler.finish(), path)
    expect_equal(target.wait(), 3, "exit status of the target")


@case(over=three)
def target_is_killed(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    target.signal(signal.SIGKILL)
    expect_profile(work, profiler.finish(), path)


@case(over=three)
def target_is_killed_and_not_reaped(work, interpreter):
    """A zombie keeps its PID: that must not keep us waiting."""
    target, profiler, path = attach_to_puppet(work, interpreter)
    os.kill(target.pid, signal.SIGKILL)
    expect_profile(work, profiler.finish(), path)  # the target is reaped only after this


@case(over=three)
def target_becomes_another_python(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    programs = work.programs(interpreter.root)
    target.order("exec", [interpreter.python, str(programs / "puppet.py")])
    target.hear("READY")
    profiler.wait_for_ticks()
    target.order("exit", 0)
    lines = expect_profile(work, profiler.finish(), path)
    expect_equal({line.pid for line in lines}, {target.pid}, "pids in the profile")
    expect(functions_of(lines)["main"] > 0, "no main() in the profile")


@case(over=three)
def target_becomes_another_program(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    target.order("exec", ["/bin/sleep", "2"])
    expect_profile(work, profiler.finish(), path)


@case(over=three)
def target_forks(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    for _ in range(5):
        target.order("fork", 0.1)
        target.hear("DONE")
    profiler.signal(signal.SIGINT)
    lines = expect_profile(work, profiler.finish(), path)
    expect_equal({(line.pid, line.tid) for line in lines}, {(target.pid, target.pid)}, "who")


@case(over=each_version)
def threads_come_and_go(work, interpreter):
    """Threads that live for milliseconds: who is who must be right, even so."""
    target, profiler, path = attach_to_puppet(work, interpreter)
    target.order("churn", 3)
    made = {(name, tid) for name, tid in target.hear("CHURNED")["threads"]}
    target.hear("DONE")
    target.order("exit", 0)
    lines = expect_profile(work, profiler.finish(), path, "churn")
    expect_equal({line.pid for line in lines}, {target.pid}, "pids in the profile")
    of_threads = [line for line in lines if "_bootstrap" in line.frames[0].function]
    seen = {line.tid for line in of_threads}
    expect_likely(len(seen) > len(made) / 20, f"{len(made)} threads came and went, {len(seen)} were seen")

    total, tids = samples_of(of_threads), {tid for _, tid in made}
    # One that ended before it could be asked has no id, and maybe no name.
    unknown = [line for line in of_threads if line.tid == 0]
    wrong = []
    for line in of_threads:
        # One that was seen only before Python gave it its name has the kernel's.
        is_right = (line.thread, line.tid) in made or (
            not line.thread.startswith(("churn-", "MainThread")) and line.tid in tids)
        wrong += [] if is_right or line.tid == 0 else [line]
    count = samples_of(wrong)
    expect_likely(count <= 0.002 * total, f"{count} of {total} samples with wrong names or ids:", *wrong[:8])
    count = samples_of(unknown)
    expect_likely(count <= 0.05 * total, f"{count} of {total} samples of unknown threads:", *unknown[:8])
    main = [line for line in lines if line.frames[0].function == "<module>"]
    strange = [line for line in main if (line.thread, line.tid) != ("MainThread", target.pid)]
    expect(not strange, "stacks of the main thread under other names:", *strange[:5])
    odd = samples_of(lines) - samples_of(main) - total
    expect_likely(odd <= 0.01 * total, f"{odd} stacks that begin neither in <module> nor in _bootstrap")


def marked(lines):
    """Lines that say of themselves that they may not be so."""
    return [line for line in lines if any(f.function in (MISSING, UNVERIFIED) for f in line.frames)]


def misnamed(lines):
    """Lines in which code of one made module is called from that of another, or from elsewhere."""
    for line in lines:
        for caller, callee in zip(line.frames, line.frames[1:]):
            if callee.function.startswith("made_"):
                path = f"made-{callee.function[len('made_'):]}.py"
                if (caller.function, caller.file, callee.file) != ("<module>", path, path):
                    yield line


@case(over=each_version)
def code_comes_and_goes(work, interpreter):
    """Code objects whose addresses are used again: their names must be their own."""
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", target.pid, "-r", "1khz", "-o", path)
    profiler.wait_until_it_samples()
    target.order("load", 3)
    made = target.hear("LOADED")["functions"]
    target.hear("DONE")
    target.order("exit", 0)
    lines = expect_profile(work, profiler.finish(), path, "load")

    loading = [line for line in lines if any(f.function == "load" for f in line.frames)]
    seen = [line for line in loading if any(f.function.startswith("made_") for f in line.frames)]
    total, doubted = samples_of(seen), samples_of(marked(loading))
    report = f"{made} functions were made, and seen in {total} of {samples_of(loading)} samples, {doubted} unverified"
    expect_likely(total >= 0.25 * samples_of(loading), report)
    expect_likely(total + doubted >= 0.5 * samples_of(loading), report)
    wrong = list(misnamed(seen))
    # Code is compared right after it was copied; only what came to its address in between may be wrong.
    expect_likely(samples_of(wrong) <= 0.02 * total,
                  f"{samples_of(wrong)} of {total} samples with wrong names:", *wrong[:5])


def is_stopped(pid):
    return "\nState:\tT" in Path(f"/proc/{pid}/status").read_text()


@case(over=three)
def target_is_stopped(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    target.signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(target.pid), "the target to stop")
    path = work.out / "p.collapsed"
    try:
        result = work.pyrometer("attach", target.pid, "-r", "200", "-d", "1", "-o", path)
        lines = expect_profile(work, result, path, "main")
        expect_equal(len(lines), 1, "different stacks of a stopped process")
        expect_status(work.pyrometer("dump", target.pid), 0)
    finally:
        target.signal(signal.SIGCONT)


@case(over=three)
def interpreter_finalises(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    target.order("finalise", 2)
    expect_profile(work, profiler.finish(), path)
    expect_equal(target.wait(), 0, "exit status of the target")


@case(over=three)
def attach_while_it_finalises(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    target.order("finalise", 3)
    target.hear("FINALISING")
    path = work.out / "p.collapsed"
    result = work.pyrometer("attach", target.pid, "-o", path)
    expect_equal(target.wait(), 0, "exit status of the target")
    expect_likely(result.status != 3, "it came after the end of the target")
    expect_profile(work, result, path, "end_slowly")


def held_interpreter(work, interpreter):
    """A Python that waits, early in its initialisation, for somebody to write its pyvenv.cfg."""
    folder = work.folder / "venv" / "bin"
    folder.mkdir(parents=True)
    python = folder / "python"
    python.symlink_to(interpreter.python)
    config = folder / "pyvenv.cfg"
    os.mkfifo(config)
    command = [python, work.programs(None) / "puppet.py"]
    target = work.target_of(command, word=None)
    home = Path(interpreter.python).parent
    return target, config, f"home = {home}\n"


def written_without_waiting(fifo, text):
    """Whether somebody has the FIFO open for reading, and has been given the text."""
    try:
        descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(descriptor, text.encode())
    os.close(descriptor)
    return True


@case(over=newest_here)
def attach_before_python_is_initialised(work, interpreter):
    target, config, text = held_interpreter(work, interpreter)
    wait_until_asleep(target.pid)
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", target.pid, "-r", "200", "-o", path)
    profiler.wait_for_ticks(100)  # it looks again and again
    wait_until(lambda: written_without_waiting(config, text), "Python to read its pyvenv.cfg")
    target.hear("READY")
    profiler.wait_until_it_samples()
    target.close_input()
    expect_profile(work, profiler.finish(), path)


@case(over=newest_here)
def attach_at_once(work, interpreter):
    """The race of `python app.py & pyrometer attach $!`."""
    path = work.out / "p.collapsed"
    for delay in range(6):
        target = work.target_of(work.command(interpreter, "puppet.py"), word=None)
        time.sleep(delay * 0.004)
        result = work.pyrometer("attach", target.pid, "-d", "1", "-o", path)
        expect_status(result, 0)
        target.end_now()


# -- the target cannot be read ------------------------------------------------------------------


@case()
def not_python(work):
    sleeper = work.start(["sleep", "1000"])
    for verb in ("attach", "dump"):
        expect_refusal(work.pyrometer(verb, sleeper.pid), 5, str(sleeper.pid), "[Pp]ython")
    work.expect_outputs()


@case()
def zombie(work):
    ended = work.start(["true"])
    wait_until(lambda: "Z" in Path(f"/proc/{ended.pid}/stat").read_text(), "a zombie")
    for verb in ("attach", "dump"):
        expect_refusal(work.pyrometer(verb, ended.pid), 3, str(ended.pid), "ended|zombie")


def free_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@case()
def no_such_process(work):
    pid = free_pid()
    for verb in ("attach", "dump"):
        result = work.pyrometer(verb, pid)
        expect_refusal(result, 3, str(pid), "no such process")


@case()
def kernel_thread(work):
    """A process without memory of its own is no Python."""
    need_root()
    if not Path("/proc/2/comm").exists():
        raise Skip("there is no kernel thread here")
    expect_refusal(work.pyrometer("attach", 2), 5, "2")


@case()
def a_thread_is_not_a_process(work):
    """A TID is taken for a PID easily: either it works or the message names it."""
    code = "import threading, time; t = threading.Thread(target=time.sleep, args=(1000,)); " \
        "t.start(); print('READY {\"tid\": %d}' % t.native_id, flush=True)"
    target = work.target_of([sys.executable, "-c", code])
    tid = target.facts["tid"]
    result = work.pyrometer("dump", tid)
    if result.status != 0:
        expect_refusal(result, 3, str(tid))


def as_nobody(work, *groups):
    """What to put before a command to run it as nobody; and a pyrometer that nobody can reach."""
    need_root()
    if not shutil.which("setpriv"):
        raise Skip("needs setpriv")
    copy = shutil.copy(PYROMETER, work.folder / "pyrometer")
    os.chmod(copy, 0o755)
    os.chown(work.out, NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *groups], copy


@case()
def not_permitted(work):
    prefix, copy = as_nobody(work)
    target = work.target_of([sys.executable, work.programs(None) / "puppet.py"])
    path = work.out / "p.collapsed"
    process = work.profiler_of([*prefix, copy, "attach", str(target.pid), "-o", path])
    expect_refusal(process.finish(), 4, str(target.pid), "permi", "root|CAP_SYS_PTRACE|user")
    process = work.profiler_of([*prefix, copy, "dump", str(target.pid)])
    expect_refusal(process.finish(), 4, str(target.pid))
    work.expect_outputs()


def as_seen_by_nobody():
    """A Python that nobody may run too."""
    python = "/usr/bin/python3"
    if not os.access(python, os.X_OK):
        raise Skip("needs /usr/bin/python3")
    return python


@case()
def permitted_to_the_same_user(work):
    prefix, copy = as_nobody(work)
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if scope.exists() and scope.read_text().strip() != "0":
        raise Skip("ptrace_scope forbids it here")
    code = "print('READY {}', flush=True)\nwhile True: pass"
    target = work.target_of([*prefix, as_seen_by_nobody(), "-c", code])
    path = work.out / "p.collapsed"
    process = work.profiler_of([*prefix, copy, "attach", str(target.pid), "-d", "0.5", "-o", path])
    expect_status(process.finish(), 0)
    expect_equal(path.stat().st_uid, NOBODY, "owner of the output")
    work.expect_outputs("p.collapsed")


# -- the output cannot be written ---------------------------------------------------------------

# Runs a command with a small file system over a folder, then lists and shows what is there.
SMALL_DISK = """
mount -t tmpfs -o size=16k,mode=755 none "$1" && printf 'old\\n' >"$1/p.collapsed" || exit 99
[ "$2" = rw ] || mount -o remount,"$2" "$1" || exit 99
folder=$1; shift 2
"$@"; status=$?
echo "FILES $(ls -A "$folder" | tr '\\n' ' ')"
cat "$folder/p.collapsed"
exit $status
"""


def on_small_disk(work, options, *command):
    need_root()
    prefix = [*private_mounts(), "sh", "-c", SMALL_DISK, "sh",
              str(work.out), options]
    result = work.profiler_of([*prefix, *map(str, command)]).finish()
    if result.status == 99:
        raise Skip("cannot mount here")
    return result


def expect_old_file(result):
    expect_equal(result.out.decode(), "FILES p.collapsed \nold\n", "what is in the folder")


@case(over=newest)
def folder_is_missing(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    path = work.out / "not" / "there" / "p.collapsed"
    # It must be seen before sampling starts: the duration is longer than we wait.
    result = work.pyrometer("attach", target.pid, "-d", "10h", "-o", path)
    expect_refusal(result, 7, str(path))
    result = work.pyrometer("attach", target.pid, "-d", "10h", "--stats", path)
    expect_refusal(result, 7, str(path))


@case(over=newest)
def folder_cannot_be_written(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    result = on_small_disk(work, "ro", PYROMETER, "attach", target.pid, "-d", "10h", "-o", path)
    expect_refusal(result, 7, str(path))
    expect_old_file(result)


@case(over=newest)
def path_is_a_folder(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    result = work.pyrometer(
        "attach", target.pid, "-d", "10h", "-f", "collapsed", "-o", work.out)
    expect_refusal(result, 7, str(work.out))
    work.expect_outputs()


@case(over=newest)
def disk_is_full(work, interpreter):
    """With a stack whose line alone is larger than the disk."""
    target = work.still_target(interpreter, "sizes.py", "deep", 3000)
    path = work.out / "p.collapsed"
    result = on_small_disk(
        work, "rw", PYROMETER, "attach", target.pid, "-r", "100", "-d", "0.5", "-o", path)
    expect_refusal(result, 7, str(path))
    expect_old_file(result)


@case(over=newest)
def file_is_too_large(work, interpreter):
    """RLIMIT_FSIZE: a signal, unless it is ignored."""
    target = work.still_target(interpreter, "sizes.py", "deep", 3000)
    path = work.out / "p.collapsed"
    path.write_text("old\n")
    result = work.pyrometer(
        "attach", target.pid, "-r", "100", "-d", "0.5", "-o", path,
        prefix=["prlimit", "--fsize=4096"])
    expect_refusal(result, 7, str(path))
    work.expect_outputs("p.collapsed")
    expect_equal(path.read_text(), "old\n", "the old file")


@case(over=newest)
def device_is_full(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    arguments = ["attach", target.pid, "-d", "0.3", "-f", "collapsed", "-o"]
    result = work.pyrometer(*arguments, "/dev/full", prefix=own_devices())
    expect_devices_unharmed(result)
    expect_refusal(result, 7, "/dev/full")
    with open("/dev/full", "wb") as full:
        expect_status(work.pyrometer(*arguments, "-", stdout=full), 7)
    with open("/dev/full", "wb") as full:
        expect_status(work.pyrometer("dump", target.pid, stdout=full), 7)


@case(over=newest)
def one_of_two_outputs_fails(work, interpreter):
    """The other one is written all the same."""
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    result = work.pyrometer(
        "attach", target.pid, "-d", "0.3", "-f", "collapsed", "-o", "/dev/full", "-o", path,
        prefix=own_devices())
    expect_devices_unharmed(result)
    expect_refusal(result, 7, "/dev/full")
    work.expect_outputs("p.collapsed")


@case(over=newest)
def reader_goes_away(work, interpreter):
    target = work.still_target(interpreter, "sizes.py", "deep", 3000)
    read, write = os.pipe()
    os.close(read)
    try:
        result = work.pyrometer(
            "attach", target.pid, "-d", "0.3", "-f", "collapsed", "-o", "-", stdout=write)
    finally:
        os.close(write)
    expect(result.status in (7, -signal.SIGPIPE), f"exit status {result.status}", result.err)


# -- signals ------------------------------------------------------------------------------------


def finishes_on(work, interpreter, number):
    target, profiler, path = attach_to_puppet(work, interpreter, "-o", work.out / "p.html")
    profiler.signal(number)
    result = profiler.finish()
    expect_status(result, 0)
    work.expect_outputs("p.collapsed", "p.html")
    expect(functions_of(parse_collapsed(path))["spin"] > 0, "no spin() in the profile")
    expect(target.is_running(), "the target did not outlive us")


@case(over=three)
def interrupt(work, interpreter):
    finishes_on(work, interpreter, signal.SIGINT)


@case(over=newest)
def terminate(work, interpreter):
    finishes_on(work, interpreter, signal.SIGTERM)


@case(over=newest)
def hang_up(work, interpreter):
    finishes_on(work, interpreter, signal.SIGHUP)


def is_full(pipe):
    """Whether a pipe holds all that fits."""
    held = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]
    return held >= fcntl.fcntl(pipe, 1032)  # F_GETPIPE_SZ, which Python names from 3.10


@case(over=newest)
def second_interrupt_aborts(work, interpreter):
    """The first leaves it writing to a pipe that nobody reads; the second ends it."""
    target = work.still_target(interpreter, "sizes.py", "deep", 10000)
    read, write = os.pipe()
    try:
        profiler = work.profiler(
            "attach", target.pid, "-r", "100", "-f", "collapsed", "-o", "-", stdout=write)
        profiler.wait_until_it_samples()
        profiler.signal(signal.SIGINT)
        wait_until(lambda: is_full(read) or not profiler.is_running(), "it to fill the pipe")
        expect(profiler.is_running(), "it ended although it could not write",
               "" if profiler.is_running() else profiler.finish().err)
        profiler.signal(signal.SIGINT)
        result = profiler.finish()
    finally:
        os.close(read)
        os.close(write)
    expect(result.status != 0, "it says that it is done")


@case(over=newest)
def user_signal_writes_and_goes_on(work, interpreter):
    target, profiler, path = attach_to_puppet(work, interpreter)
    profiler.signal(signal.SIGUSR1)
    wait_until(path.exists, "the file that SIGUSR1 asks for")
    first = samples_of(parse_collapsed(path))
    expect(first > 0, "the file that SIGUSR1 asks for is empty")
    profiler.wait_for_ticks()
    before = path.stat().st_ino
    profiler.signal(signal.SIGUSR1)
    wait_until(lambda: path.stat().st_ino != before, "the second file")
    second = samples_of(parse_collapsed(path))
    expect(second > first, f"{first} samples, then {second}")
    profiler.wait_for_ticks()
    profiler.signal(signal.SIGTERM)
    last = samples_of(expect_profile(work, profiler.finish(), path))
    expect(last > second, f"{second} samples, then {last} at the end")
    expect(target.is_running(), "the target did not outlive us")


@case(over=newest)
def signals_of_the_terminal_are_ignored_if_they_were(work, interpreter):
    """`nohup pyrometer ... &`: SIGHUP that was ignored stays ignored."""
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    profiler = work.profiler("attach", target.pid, "-r", "200", "-o", path, prefix=["nohup"])
    profiler.wait_until_it_samples()
    profiler.signal(signal.SIGHUP)
    profiler.wait_for_ticks()
    profiler.signal(signal.SIGTERM)
    expect_profile(work, profiler.finish(), path)


@case(over=newest)
def duration_ends_the_run(work, interpreter):
    target = work.target(interpreter, "puppet.py")
    path = work.out / "p.collapsed"
    result, stats = work.profile("attach", target.pid, "-r", "200", "-d", "0.7", "-o", path)
    expect_profile(work, result, path)
    expect_likely(0.6 <= stats["duration_s"] <= 0.8, f"duration_s is {stats['duration_s']}")
    expect(target.is_running(), "the target did not outlive us")


@case(over=three)
def two_profilers_at_once(work, interpreter):
    target, first, path = attach_to_puppet(work, interpreter)
    second = work.folder / "second.collapsed"
    expect_status(work.pyrometer("attach", target.pid, "-d", "0.5", "-o", second), 0)
    first.signal(signal.SIGINT)
    expect_profile(work, first.finish(), path)
    expect(functions_of(parse_collapsed(second))["spin"] > 0, "no spin() in the second profile")


@case(over=three)
def target_is_not_changed(work, interpreter):
    """No tracer, no descriptor, no mapping, no thread is left in or added to the target."""
    target = work.still_target(interpreter, "stacks.py")
    before = seen_from_outside(target.pid)
    profiler = work.profiler("attach", target.pid, "-r", "200", "-o", work.out / "p.collapsed")
    profiler.wait_until_it_samples()
    expect_equal(seen_from_outside(target.pid), before, "the target while it is sampled")
    profiler.signal(signal.SIGINT)
    expect_status(profiler.finish(), 0)
    expect_equal(seen_from_outside(target.pid), before, "the target afterwards")


def seen_from_outside(pid):
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        "tracer": next(line for line in status if line.startswith("TracerPid")),
        "descriptors": sorted(os.listdir(f"/proc/{pid}/fd")),
        "threads": sorted(os.listdir(f"/proc/{pid}/task")),
        "maps": Path(f"/proc/{pid}/maps").read_text(),
    }


if __name__ == "__main__":
    sys.exit(main())
