"""TAP, target programs and the profiler, for the live tests.

A test file marks functions with @case and ends with main(). A case gets a Work, which starts
processes and ends them all, and (unless it says otherwise) the interpreter to use. It returns when
all is well, or raises: Failure (not ok), Skip, anything else (not ok, with the traceback). Unsettled
is a Failure that chance or a busy machine can bring about: the case is run anew, RUNS times at most,
and is not ok when no run was. expect() is for what must never be, expect_likely() for the other.

Usage of a test file: test_x.py [WORD...]; only results whose names hold every WORD are made.
"""

import ctypes
import dataclasses
import functools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, namedtuple
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
PROGRAMS = TESTS / "programs"
PYROMETER = os.environ.get("PYROMETER") or str(TESTS.parent / "build" / "pyrometer")
sys.path.insert(0, str(TESTS))

from setup import interpreters  # noqa: E402

# No run of anything here takes longer, however slow the machine: what does is hanging.
BOUND = 180
# The exit status that says that there was not one sample.
NO_SAMPLE = 6
# How often a case is run that does not settle.
RUNS = 3
# Ticks of the profiler that can be relied on to hold samples.
SOME_TICKS = 20

TARGET_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Failure(Exception):
    """What a case expected and did not find; each argument is a line or more for the reader."""


class Unsettled(Failure):
    """It may have been chance, or the machine."""


class Skip(Exception):
    """Why a case cannot be tried here."""


def expect(condition, *diagnostics):
    if not condition:
        raise Failure(*diagnostics)


def expect_likely(condition, *diagnostics):
    if not condition:
        raise Unsettled(*diagnostics)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}:", f"  found  {found!r}", f"  wanted {wanted!r}")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


# A prefix that gives what follows pids of its own, counted from 1.
NEW_PIDS = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]


def need_pid_namespaces():
    need_root()
    if subprocess.run([*NEW_PIDS, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip("cannot make a pid namespace here")


def children_of(pid):
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if re.search(rf"^PPid:\s*{pid}$", status.read_text(), re.MULTILINE):
                found.append(int(status.parent.name))
        except OSError:
            pass
    return found


def wait_until(condition, what, bound=BOUND):
    """Looks at `condition` now and then until it gives something true, and returns that."""
    end = time.monotonic() + bound
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.01)
    raise Failure(f"waited {bound} s in vain for {what}")


# -- processes ----------------------------------------------------------------------------------

_libc = ctypes.CDLL(None)


def _die_with_parent():
    """And with signals as a program at a terminal has them: what runs in the background of a shell
    without job control ignores SIGINT, and Pyrometer goes on ignoring what it was started with."""
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)


class Process:
    """A process that ends with us, and whose ends of pipes are read within a bound."""

    def __init__(self, command, **options):
        self.command = [os.fspath(part) for part in command]
        self.popen = subprocess.Popen(self.command, preexec_fn=_die_with_parent, **options)
        self.pid = self.popen.pid

    def signal(self, number):
        os.kill(self.pid, number)

    def is_running(self):
        return self.popen.poll() is None

    def end_now(self):
        """Kills it if it still runs."""
        if self.is_running():
            self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class Target(Process):
    """A target program; `facts` is what it said with its READY line."""

    def __init__(self, command, errors, **options):
        self.errors = errors
        with open(errors, "wb") as stderr:
            super().__init__(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, **options)
        self._unread = b""
        self.facts = None

    def _read_line(self, end):
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.popen.stdout], [], [], left)[0]:
                raise Failure(f"the target said nothing in time: {self.command}")
            got = os.read(self.popen.stdout.fileno(), 1 << 20)
            if not got:
                raise Failure(f"the target ended too early: {self.command}", self.errors.read_text())
            self._unread += got
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def hear(self, word, bound=BOUND):
        """The facts of the next line that begins with `word`."""
        end = time.monotonic() + bound
        while True:
            line = self._read_line(end)
            if line.startswith(word + " "):
                return json.loads(line[len(word):])

    def order(self, name, argument=None):
        """Gives programs/puppet.py an order."""
        self.popen.stdin.write(json.dumps([name, argument]).encode())
        self.popen.stdin.flush()

    def ask(self, word):
        """Writes a line to it, and returns the facts of its answer."""
        self.popen.stdin.write(b"?\n")
        self.popen.stdin.flush()
        return self.hear(word)

    def close_input(self):
        self.popen.stdin.close()

    def wait(self, bound=BOUND):
        """Its exit status; its output is thrown away."""
        end = time.monotonic() + bound
        while self.is_running():
            if time.monotonic() > end:
                raise Failure(f"the target does not end: {self.command}")
            if select.select([self.popen.stdout], [], [], 0.05)[0]:
                os.read(self.popen.stdout.fileno(), 1 << 20)
        return self.popen.returncode


Result = namedtuple("Result", "command status out err")


class Profiler(Process):
    """pyrometer, in the background. What it says goes to files, so that it never waits for us."""

    def __init__(self, command, folder, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        self._out = tempfile.TemporaryFile(dir=folder)
        self._err = tempfile.TemporaryFile(dir=folder)
        options.setdefault("stdout", self._out)
        options.setdefault("stderr", self._err)
        super().__init__(command, **options)

    def wait_until_it_samples(self):
        """Returns when it has attached, and some ticks later."""
        wait_until(self._has_attached, "pyrometer to begin to sample")
        self.wait_for_ticks()

    def wait_for_ticks(self, count=SOME_TICKS):
        """Returns when it has sampled so often; at rates that let it sleep between ticks."""
        enough = self._sleeps() + count
        wait_until(lambda: self._sleeps() >= enough, f"{count} ticks of pyrometer")

    def _read(self, name):
        if not self.is_running():
            result = self.finish()
            raise Unsettled(f"pyrometer ended early, with {result.status}", result.err)
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def _has_attached(self):
        """From then on it wants to be woken to the nanosecond, see sampler_run(); only root may look."""
        try:
            return self._read("timerslack_ns") != Path("/proc/self/timerslack_ns").read_text()
        except PermissionError:
            caught = re.search(r"^SigCgt:\s*(\w+)", self._read("status"), re.MULTILINE)[1]
            return int(caught, 16) >> (signal.SIGINT - 1) & 1

    def _sleeps(self):
        return sleeps_of(self._read("status"))

    def finish(self, bound=BOUND):
        """Waits for its end and returns a Result. One that does not end is a failure."""
        try:
            self.popen.wait(bound)
        except subprocess.TimeoutExpired:
            self.end_now()
            raise Failure(
                f"pyrometer hangs: not done after {bound} s", " ".join(self.command),
                *self._said(self._err).decode(errors="replace").splitlines()) from None
        error = self._said(self._err).decode(errors="replace")
        return Result(self.command, self.popen.returncode, self._said(self._out), error)

    @staticmethod
    def _said(file):
        file.seek(0)
        return file.read()


# A command that runs another one with a /dev of its own, and looks whether it left that alone.
OWN_DEVICES = """
mount -t tmpfs -o mode=755 none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/full c 1 7 &&
ln -s /proc/self/fd/1 /dev/stdout && ln -s /proc/self/fd/2 /dev/stderr || exit 99
"$@"; status=$?
[ -c /dev/null ] && [ -c /dev/full ] && [ -L /dev/stdout ] && [ "$(ls -A /dev | wc -l)" = 4 ] || exit 98
exit $status
"""


def private_mounts():
    """A prefix that gives what follows mounts of its own; there is none in a chroot whose root is no
    mount point."""
    command = ["unshare", "--mount", "--propagation", "private"]
    tried = subprocess.run([*command, "true"], stderr=subprocess.PIPE, text=True)
    if tried.returncode != 0:
        raise Skip(f"no mounts of one's own here: {tried.stderr.strip()}")
    return command


def own_devices():
    """A prefix for what writes below /dev: should it go wrong, the machine's own is not harmed."""
    if os.geteuid() != 0:
        return []
    return [*private_mounts(), "sh", "-c", OWN_DEVICES, "sh"]


def expect_devices_unharmed(result):
    if result.status == 99:
        raise Skip("cannot mount here")
    expect(result.status != 98, f"it harmed /dev: {' '.join(result.command[-8:])}")


def sleeps_of(status):
    """How often a thread has gone to sleep, from the text of its status in /proc."""
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)[1])


def wait_until_asleep(pid, looks=5):
    """Returns when the main thread sleeps, and has slept on for some looks."""
    last, same = None, 0
    while same < looks:
        status = wait_until(lambda: sleeping_status(pid), f"process {pid} to stand still")
        same, last = (same + 1 if sleeps_of(status) == last else 0), sleeps_of(status)
        time.sleep(0.01)


def sleeping_status(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    return status if re.search(r"^State:\s*S", status, re.MULTILINE) else None


class Work:
    """What one run of a case has made: a folder and processes. All of it goes away with close()."""

    def __init__(self, is_last_run=True):
        self.is_last_run = is_last_run  # nobody runs the case again if this does not settle it
        self.folder = Path(tempfile.mkdtemp(prefix="pyrometer-live-"))
        self.folder.chmod(0o755)
        self.out = self.folder / "out"  # for outputs: must hold only what was asked for
        self.out.mkdir()
        self._processes = []
        self._copies = {}  # of the programs, by root

    def close(self):
        for process in reversed(self._processes):
            process.end_now()
        for folder in (self.folder, *self._copies.values()):
            shutil.rmtree(folder, ignore_errors=True)

    def programs(self, root):
        """The folder of the target programs as it is called within a root."""
        if root is None:
            return PROGRAMS
        if root not in self._copies:
            self._copies[root] = Path(tempfile.mkdtemp(prefix="pyrometer-live-", dir=root + "/tmp"))
            self._copies[root].chmod(0o755)
            shutil.copytree(PROGRAMS, self._copies[root] / "programs")
        return Path("/tmp", self._copies[root].name, "programs")

    def within(self, interpreter):
        """A folder of ours that the interpreter can see: (as we call it, as it calls it)."""
        if interpreter.root is None:
            return self.folder, self.folder
        inside = self.programs(interpreter.root).parent
        return self._copies[interpreter.root], inside

    def command(self, interpreter, *arguments):
        """The command that runs Python with these arguments; NAME.py is one of our programs."""
        programs = self.programs(interpreter.root)
        words = [str(programs / a) if str(a).endswith(".py") else str(a) for a in arguments]
        return [*interpreters.enter_command(interpreter.root), interpreter.python, *words]

    def _keep(self, process):
        self._processes.append(process)
        return process

    def start(self, command, **options):
        """Starts anything; it is ended with the case."""
        return self._keep(Process(command, **options))

    def target_of(self, command, word="READY", **options):
        """Starts a target by its command, and waits until it has said `word`."""
        errors = self.folder / f"target-{len(self._processes)}.err"
        options.setdefault("env", TARGET_ENVIRONMENT)
        target = self._keep(Target(command, errors, **options))
        if word:
            target.facts = target.hear(word)
        return target

    def target(self, interpreter, *arguments, **options):
        """Starts Python as command() says and waits until it is ready."""
        return self.target_of(self.command(interpreter, *arguments), **options)

    def still_target(self, interpreter, *arguments, **options):
        """A target whose main thread goes to sleep after it has said that it is ready."""
        target = self.target(interpreter, *arguments, **options)
        wait_until_asleep(target.pid)
        return target

    def profiler(self, *arguments, prefix=(), **options):
        """Starts pyrometer in the background."""
        return self.profiler_of([*prefix, PYROMETER, *map(str, arguments)], **options)

    def profiler_of(self, command, **options):
        """Starts pyrometer by its whole command."""
        return self._keep(Profiler(command, self.folder, **options))

    def pyrometer(self, *arguments, bound=BOUND, **options):
        """Runs pyrometer to its end."""
        return self.profiler(*arguments, **options).finish(bound)

    def profile(self, *arguments, **options):
        """Runs pyrometer, which must succeed, with its stats: (Result, stats)."""
        stats = self.folder / "stats.json"
        result = self.pyrometer(*arguments, "--stats", stats, **options)
        expect_status(result, 0)
        return result, json.loads(stats.read_text())

    def expect_outputs(self, *names):
        """Nothing but these may be left in the folder of outputs, and none of them empty."""
        expect_equal(sorted(os.listdir(self.out)), sorted(names), "files in the folder of outputs")
        for name in names:
            expect((self.out / name).stat().st_size > 0, f"{name} is empty")


def expect_status(result, status):
    """A short run on a busy machine may come to nothing: that says nothing."""
    check = expect_likely if result.status == NO_SAMPLE else expect
    check(
        result.status == status,
        f"exit status {result.status}, wanted {status}: {' '.join(result.command)}",
        *result.err.splitlines()[-5:])


def expect_refusal(result, status, *words):
    """It ended with `status`, and its last words name what was tried."""
    expect_status(result, status)
    lines = result.err.splitlines()
    expect(lines, "no message on standard error")
    message = "\n".join(lines)
    for word in words:
        expect(re.search(word, message), f"the message does not say {word!r}:", *lines)
    expect("Traceback" not in message and "(null)" not in message, "not a message:", *lines)


# -- what pyrometer writes ----------------------------------------------------------------------

# Frames that stand for what could not be read: on the root side, and on the leaf side.
MISSING, UNVERIFIED = "<missing frames>", "<unverified>"

Frame = namedtuple("Frame", "function file line")


class Line(namedtuple("Line", "process pid thread tid frames count")):
    """One line of a collapsed file; frames are root first."""

    __slots__ = ()

    def __str__(self):
        calls = " > ".join(f"{f.function} ({os.path.basename(f.file)}:{f.line})" for f in self.frames)
        return f"{self.count} x {self.thread} ({self.tid}): {calls}"


_HEAD = re.compile(r"process (.*) \((\d+)\)\Z", re.DOTALL)
_THREAD = re.compile(r"thread (.*) \((\d+)\)\Z", re.DOTALL)
_FRAME = re.compile(r"(.*?) \((.*):(\d+)\)\Z", re.DOTALL)


def _frame_of(text):
    match = _FRAME.match(text)
    return Frame(match[1], match[2], int(match[3])) if match else Frame(text, "", 0)


def parse_collapsed(path):
    """The lines of a collapsed file, given by its path or as bytes."""
    data = path if isinstance(path, bytes) else Path(path).read_bytes()
    expect(data.endswith(b"\n") or not data, "the collapsed file does not end with a line end")
    lines = []
    for text in data.decode().split("\n")[:-1]:
        stack, _, count = text.rpartition(" ")
        expect(count.isdigit() and int(count) > 0, f"no count at the end of {text[-200:]!r}")
        process, thread, *frames = stack.split(";")
        head, name = _HEAD.match(process), _THREAD.match(thread)
        expect(head and name, f"no process and thread at the start of {text[:200]!r}")
        lines.append(Line(head[1], int(head[2]), name[1], int(name[2]),
                          tuple(map(_frame_of, frames)), int(count)))
    return lines


def samples_of(lines):
    return sum(line.count for line in lines)


def functions_of(lines):
    """{function: samples whose stacks hold it}."""
    totals = Counter()
    for line in lines:
        for function in {frame.function for frame in line.frames}:
            totals[function] += line.count
    return totals


STATS_KEYS = {
    "ticks", "samples", "rate_hz", "requested_hz", "lost", "late", "unverified", "threads",
    "duration_s", "cpu_s", "rss_bytes", "version", "pid"}


# -- TAP ----------------------------------------------------------------------------------------

_cases = []


def every():
    """Every interpreter there is, and the ones that there should be."""
    return interpreters.find()


def each_version():
    """One interpreter for each version and flavour."""
    return interpreters.find_one_each()


def each_default():
    """One interpreter for each version, as it is by default."""
    return [i for i in each_version() if not i.is_free_threaded]


def free_threaded():
    """Those without a GIL."""
    return [i for i in every() if i.is_free_threaded]


def three():
    """The oldest, the middle one and the newest."""
    found = each_default()
    return [found[0], found[len(found) // 2], found[-1]] if len(found) > 2 else found


def two():
    """The one that most have, and the newest."""
    return [i for i in each_default() if i.minor == 11] + newest()


def newest():
    return each_default()[-1:]


def with_a_jit():
    """Those that may have been built with a just-in-time compiler."""
    return [i for i in every() if i.minor >= 14 and not i.is_free_threaded]


@functools.lru_cache(maxsize=None)
def can_import(interpreter, module):
    command = [*interpreters.enter_command(interpreter.root), interpreter.python, "-c", f"import {module}"]
    return subprocess.run(command, env=TARGET_ENVIRONMENT, stderr=subprocess.DEVNULL, check=False).returncode == 0


def having(module):
    """One interpreter for each version, of those that have a module; one that says so if none has."""
    def those():
        found = [i for i in each_version() if can_import(i, module)]
        return found or [dataclasses.replace(i, why_missing=f"no Python here has {module}") for i in newest()]

    return those


def newest_here():
    """The newest that needs no root of its own."""
    return [i for i in interpreters.find() if i.is_found and i.root is None][-1:]


def case(over=None):
    """Marks a case, to be run over these interpreters; None: it needs no interpreter."""
    def mark(function):
        _cases.append((function, over))
        return function

    return mark


def _results():
    for function, over in _cases:
        name = function.__name__.replace("_", " ")
        if over is None:
            yield name, function, None
        for interpreter in over() if over else ():
            yield f"{name} [{interpreter.label}]", function, interpreter


def _run(function, interpreter, is_last_run):
    work = Work(is_last_run)
    try:
        function(work, interpreter) if interpreter else function(work)
    finally:
        work.close()


def _settle(name, function, interpreter):
    """Runs a case until it fails or has settled, and tells of each run that has not."""
    for number in range(1, RUNS):
        try:
            return _run(function, interpreter, is_last_run=False)
        except Unsettled as unsettled:
            print(f"# again: {name}, run {number} of {RUNS}: ", end="")
            print(*" | ".join(map(str, unsettled.args)).splitlines()[:10], sep=" | ", flush=True)
    return _run(function, interpreter, is_last_run=True)


def _attempt(name, function, interpreter):
    """Runs a case: (is ok, skip reason or None, diagnostics)."""
    if interpreter and interpreter.why_missing:
        return True, interpreter.why_missing, []
    try:
        _settle(name, function, interpreter)
    except Skip as skip:
        return True, str(skip), []
    except Failure as failure:
        return False, None, [str(part) for part in failure.args]
    except Exception:
        return False, None, [traceback.format_exc()]
    return True, None, []


def main():
    """Runs the cases and prints TAP; the exit status says whether all were well."""
    if not os.access(PYROMETER, os.X_OK):
        print(f"Bail out! no {PYROMETER}: build it first")
        return 1
    words = sys.argv[1:]
    number, failed = 0, 0
    for name, function, interpreter in _results():
        if not all(word in name for word in words):
            continue
        number += 1
        is_ok, skip, diagnostics = _attempt(name, function, interpreter)
        failed += not is_ok
        print(f"{'ok' if is_ok else 'not ok'} {number} - {name}" + (f" # SKIP {skip}" if skip else ""))
        for line in "\n".join(diagnostics).splitlines():
            print("# " + line[:1000])
        sys.stdout.flush()
    print(f"1..{number}")
    return 1 if failed else 0
