#!/usr/bin/env python3
"""The live view on a real terminal: tmux's. Keys go in, and what stands on the screen is looked at.

Nothing here is timed: what is to appear is waited for. What must not change is looked at after
something else has.
"""

import ctypes
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from harness import (
    BOUND, PYROMETER, TARGET_ENVIRONMENT, Failure, case, children_of, expect, expect_equal, expect_likely, expect_refusal,
    functions_of, main, newest, newest_here, parse_collapsed, three, wait_until)
from readers import EXTENSIONS, expect_all_the_same, read_jsonl_times

SIZES = ((80, 24), (120, 40), (200, 60))
HEADER_ROWS = 5
FIRST_ROW = HEADER_ROWS + 1  # of a list, below its titles
# A row of functions: self, trend, time of self (on wide screens), total, name
ROW = re.compile(r"\s*([\d.]+)% .? +(?:[\d.]+ [mun]?s +)?([\d.]+)% +(\S+)")
# What only one view shows: key -> text
VIEWS = {"f": "LOCATION", "l": "LINE ", "c": " TOTAL   SELF  FUNCTION", "g": "<module>", "v": "def grind(", "o": "OFFSET",
         "H": "MOSTLY IN", "A": "AWAITING", "G": "WAITS FOR", "P": "COMMAND", "?": "this help"}
# Of the help, all but the views: its keys -> keys to press in turn from the list of functions on, what is on the screen
# then, and what is not any more.
HELP = {
    "F1 ? h": (("F1", "this help", ""), ("f", "LOCATION", ""), ("h", "this help", "")),
    "Tab": (("Tab", VIEWS["l"], ""), ("BTab", "LOCATION", "")),
    "F4 / \\": (("F4", "Filter (", ""), ("Escape", "", "Filter ("), ("/", "Filter (", ""), ("Escape", "", "Filter ("),
                ("\\", "Filter (", ""), ("Escape", "", "Filter (")),
    "F5": (("F5", VIEWS["c"], ""),),
    "I": (("I", "SELF▲", ""), ("I", "SELF▼", "")),
    "F6 s >": (("F6", "", "SELF▼"), ("s", "TOTAL▼", ""), (">", "", "TOTAL▼")),
    "t": (("t", "last 30 s", ""), ("t", "since start", ""), ("t", "last 5 s", "")),
    "m": (("m", "cpu time", ""), ("m", "gil time", ""), ("m", "exception time", ""), ("m", "wall time", "")),
    "p Space": (("p", "PAUSED", ""), ("Space", "", "PAUSED")),
    "[ ]": (("[", "1 s ago", ""), ("]", "PAUSED", "1 s ago"), ("p", "", "PAUSED")),
    "{ }": (("{", " s ago", ""), ("}", "PAUSED", " s ago"), ("p", "", "PAUSED")),
    "R": (("R", "Looks a second", ""), ("Escape", "", "Looks a second")),
    "r": (("p", "PAUSED", ""), ("r", "", ""), ("p", "grind", "PAUSED")),
    "w": (("w", "Write to", ""), ("Escape", "", "Write to")),
    "Esc": (("H", "MOSTLY IN", ""), ("Enter", "alone", ""), ("Escape", "", "alone")),
    "arrows": (("?", "this help", ""), ("Down", "", "1 f "), ("k", "1 f ", "")),
    "F10 q": (),  # at last
}

# Of a source: self, total, a bar, the line, its text. Of bytecode: self, offset, line, opcode.
HOT_LINE = re.compile(r"^ *[\d.]+% +[\d.]+% +█+.* \d+  *\S")
HOT_OPCODE = re.compile(r" *[\d.]+% +\d+ +\d+ +[A-Z_]+")

# Executes itself once it is told to.
ANEW = """
import os, sys, time
def early():
    while not os.path.exists(os.path.dirname(os.path.abspath(__file__)) + "/go"): time.sleep(0.001)
def late():
    while True: time.sleep(0.001)
if "again" in os.environ.get("ANEW", ""):
    late()
early()
os.environ["ANEW"] = "again"
os.execv(sys.executable, [sys.executable, *sys.argv])
"""

# Forks once it is told to; of the two, the first ends then if it was started with "leave".
FORKS = """
import os, sys, threading, time
def work():
    for _ in range(20000): pass
    time.sleep(0.001)
def ancestor(): work()
def offspring(): work()
here = os.path.dirname(os.path.abspath(__file__))
print("READY {}", flush=True)
while not os.path.exists(here + "/go"): ancestor()
is_first = os.fork() != 0
if is_first and sys.argv[1:] == ["leave"]: os._exit(0)
while os.path.exists(__file__): ancestor() if is_first else offspring()
"""

# One of its threads works, and has a name; its function too.
NAMED = """
import sys, threading, time
def doing():
    for _ in range(20000): pass
    time.sleep(0.001)
def do():
    while True: doing()
threading.Thread(target=do, daemon=True, name="doer").start()
print("READY {}", flush=True)
while True: time.sleep(0.01)
"""

MANY = """
import threading, time
threading.stack_size(65536)
def rest(): time.sleep(1000)
for number in range(1000): threading.Thread(target=rest, daemon=True, name=f"idle-{number}").start()
print("READY {}", flush=True)
rest()
"""

PARENT = """
import os, subprocess, sys
child = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spin.py")
with open(child, "w") as file: file.write("import os\\ndef spin(parent):\\n while os.getppid() == parent: pass\\nspin(os.getppid())")
children = [subprocess.Popen([sys.executable, child]) for _ in range(2)]
print("READY {}", flush=True)
for child in children: child.wait()
"""

CONTEND = """
import threading, time
def spin():
    while True: pass
for name in ("one", "other"): threading.Thread(target=spin, daemon=True, name=name + "-thread").start()
print("READY {}", flush=True)
time.sleep(1000)
"""

CROWD = """
import os, time
CHILDREN, FUNCTIONS = 100, 10000
parent = os.getpid()
for _ in range(CHILDREN):
    if os.fork() == 0:
        while os.getppid() == parent: time.sleep(0.2)
        os._exit(0)
names = {}
exec("\\n".join(f"def f{number}(): pass" for number in range(FUNCTIONS)), names)
def hot():
    for _ in range(FUNCTIONS * 40): pass
print("READY {}", flush=True)
while True:
    hot()
    for number in range(FUNCTIONS): names[f"f{number}"]()
"""

QUIET = """
import time
def rest(): time.sleep(1000)
print("READY {}", flush=True)
rest()
"""
QUIET_TASKS = """
import asyncio
async def rest(): await asyncio.sleep(1000)
async def main():
    tasks = [asyncio.create_task(rest(), name=f"sleeper-{number}") for number in range(3)]
    await asyncio.sleep(0.1)
    print("READY {}", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
"""
PICTURE_S = 0.5  # between two pictures, without keys, once there is something to show
QUIET_BYTES = 200
STOPPED = 128 + signal.SIGTSTP  # what a shell says of a command that Ctrl-Z has stopped

# With job control, as at a prompt: keys that end or stop a command are not for the shell.
SHELL = """
stty -g >{folder}/before
set -m
{command}
status=$?
while [ $status = {stopped} ]; do echo "stopped=$status"; read line; fg; status=$?; done
echo "exit=$status"
stty -g >{folder}/after
echo finished >{folder}/finished
exec cat
"""


class Terminal:
    """A tmux server with one window, in which a command runs; all of it ends with the case."""

    def __init__(self, work, command, columns=80, rows=24):
        self.folder = work.folder
        self.size = (columns, rows)
        self.tmux = ["tmux", "-u", "-S", str(work.folder / "tmux"), "-f", "/dev/null"]
        environment = dict(TARGET_ENVIRONMENT, SHELL="/bin/sh")
        self.server = work.start(
            [*self.tmux, "-D"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_until(self.listens, "tmux")
        script = work.folder / "script"
        script.write_text(SHELL.format(folder=work.folder, command=" ".join(map(str, command)), stopped=STOPPED))
        self.ask("new-session", "-d", "-x", columns, "-y", rows, f"exec env TERM=screen LANG=C.UTF-8 sh {script}")

    def listens(self):
        tried = subprocess.run([*self.tmux, "-N", "list-sessions"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return tried.returncode == 0

    def ask(self, *command):
        result = subprocess.run(
            [*self.tmux, "-N", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        said = result.stdout.decode()
        expect(result.returncode == 0, f"tmux {command}: {said}")
        return said

    def end(self):
        """Now, so that there can be another one in this case."""
        self.server.end_now()
        for name in ("tmux", "finished"):
            (self.folder / name).unlink()

    def lines(self):
        return self.ask("capture-pane", "-p").split("\n")[:self.size[1]]

    def wait_for(self, condition, what):
        """Waits until `condition` is true of the screen's lines, and returns what it gives."""
        try:
            return wait_until(lambda: condition(self.lines()), what)
        except Failure as failure:
            raise Failure(*failure.args, *self.lines()) from None

    def wait_for_text(self, text, gone=""):
        self.wait_for(lambda lines: has(lines, text) and not (gone and has(lines, gone)), f"{text!r}")

    def press(self, *keys):
        self.ask("send-keys", *keys)

    def type(self, text):
        self.ask("send-keys", "-l", text)

    def resize(self, columns, rows):
        self.size = (columns, rows)
        self.ask("resize-window", "-x", columns, "-y", rows)

    def pid(self):
        """Of the pyrometer that runs in it."""
        shell = int(self.ask("display-message", "-p", "#{pane_pid}"))
        return wait_until(lambda: child_of(shell), "pyrometer to be there")

    def wait_for_the_end(self, status):
        wait_until((self.folder / "finished").exists, "the command to end")
        self.wait_for_text(f"exit={status}")
        before, after = ((self.folder / name).read_text() for name in ("before", "after"))
        expect_equal(after, before, "the terminal's settings")
        self.expect_given_back()

    def expect_given_back(self):
        flags = self.ask("display-message", "-p", "#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}")
        expect_equal(flags.strip(), "0 1 0", "alternate screen, cursor, keypad")


def has(lines, text):
    return any(text in line for line in lines)


def child_of(parent):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and (stat.parent / "comm").read_text().strip() == "pyrometer":
                return int(stat.parent.name)
        except OSError:
            pass
    return None


def leader(lines):
    """(self share, name) of the first function."""
    row = ROW.match(lines[FIRST_ROW]) if len(lines) > FIRST_ROW else None
    return (float(row[1]) / 100, row[3]) if row else (0, "")


def is_grinding(lines):
    share, name = leader(lines)
    return name == "grind" and abs(share - 0.7) < 0.1


def has_a_past(lines):
    """More than a second of it: a bar of each kind for a quarter of one."""
    return len(re.findall("[▁-█]", lines[2])) >= 3 * 6


def is_whole(lines, columns, rows):
    """Whether the picture has taken this size: the key bar is in the last row, the tail of the header
    at the right."""
    return (len(lines) == rows and lines[-1].startswith("F1Help") and lines[0].startswith("PID ")
            and re.search(r" up [\dd :]+$", lines[0].rstrip()) and len(lines[0].rstrip()) == columns)


def top(work, target, *options, size=SIZES[0]):
    return Terminal(work, [PYROMETER, "top", *options, target.pid, "2>&1"], *size)


@case(over=three)
def the_right_function_leads(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead with 70 %")
    for size in SIZES[1:]:
        terminal.resize(*size)
        terminal.wait_for(lambda lines: is_whole(lines, *size), "the larger picture")
        terminal.wait_for(is_grinding, "grind() to lead with 70 % on a larger screen")
    terminal.press("q")
    terminal.wait_for_the_end(0)


def seconds_of(lines):
    """How much time the functions of the list have for themselves, by the view's own clock."""
    found = [re.match(r"\s*[\d.]+% .? +([\d.]+) ([mun]?)s ", line) for line in lines[FIRST_ROW:]]
    return sum(float(time[1]) * {"": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}[time[2]] for time in found if time)


@case(over=three)
def one_second_is_enough(work, interpreter):
    """The first picture that a second was sampled for is right, and comes before two were."""
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target, size=SIZES[1])
    lines = terminal.wait_for(lambda lines: seconds_of(lines) >= 1 and lines, "a second to be seen")
    expect_likely(leader(lines)[1] == "grind", "another function leads", *lines)
    looked, asked = re.search(r"Rate (\d+)/(\d+) Hz", lines[1]).groups()
    is_idle = int(looked) > 0.9 * int(asked)  # else the machine has other things to do
    expect_likely(seconds_of(lines) < 2 or not is_idle, "no picture between one second and two", *lines)


@case(over=newest)
def the_view_follows(work, interpreter):
    """What the program does in turns leads in turns, and what it did before goes as it leaves the window:
    a turn is longer than that."""
    target = work.target(interpreter, "phases.py", "7")
    terminal = top(work, target, "--main-thread")
    for phase, other in (("red", "blue"), ("blue", "red"), ("red", "blue")):
        terminal.wait_for(lambda lines: leader(lines)[1] == phase, f"{phase}() to lead")
        terminal.wait_for(lambda lines: has(lines, phase) and not has(lines[FIRST_ROW:], other), f"nothing but {phase}()")


@case(over=newest)
def keys_show_views_of_any_size(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    for number, (key, text) in enumerate(VIEWS.items()):
        terminal.press("f")  # other lists have other functions under the cursor
        terminal.wait_for_text("LOCATION")
        terminal.press(key)
        terminal.wait_for_text(text)
        for size in (SIZES[(number + 1) % 3], SIZES[(number + 2) % 3], (41, 9), SIZES[number % 3]):
            terminal.resize(*size)
            terminal.wait_for(lambda lines: lines[-1].startswith("F1Help"), "the key bar in the last row")
        terminal.wait_for(lambda lines: is_whole(lines, *terminal.size), "a picture of the new size")
        terminal.wait_for_text(text)


def keys_of_help(lines):
    """What the help says there are: the keys of views, and of everything else."""
    named = [line[:12].strip() for line in lines[HEADER_ROWS:-1] if line[:12].strip()]
    views = [keys for keys in named if re.fullmatch(r"\d? ?.", keys) and keys[-1] in VIEWS]
    return views, [keys for keys in named if keys not in views]


@case(over=newest)
def every_key_of_the_help(work, interpreter):
    """A key that the help tells of and that is not tried here is a failure."""
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target, size=SIZES[1])
    terminal.wait_for(is_grinding, "grind() to lead")
    terminal.press("?")
    terminal.wait_for_text("this help")
    views, others = keys_of_help(terminal.lines())
    expect_equal([keys[-1] for keys in views] + ["?"], list(VIEWS), "views that the help tells of")
    expect_equal(sorted(others), sorted(HELP), "keys that the help tells of")
    terminal.resize(*SIZES[0])
    terminal.wait_for(lambda lines: is_whole(lines, *SIZES[0]), "the smaller picture")
    terminal.wait_for(has_a_past, "something to go back to")
    for keys in views:
        for key in keys.split():
            terminal.press("f")
            terminal.wait_for_text("LOCATION")
            terminal.press(key)
            terminal.wait_for_text(VIEWS[keys[-1]])
    for steps in HELP.values():
        terminal.press("f")
        terminal.wait_for_text("LOCATION")
        for key, text, gone in steps:
            terminal.press(key)
            if key == "r":  # what is sampled between the key and the picture is not forgotten
                wait_until(lambda: (terminal.press("r"), not has(terminal.lines(), "grind"))[1], "nothing to be known")
            terminal.wait_for_text(text, gone)
    terminal.press("F10")
    terminal.wait_for_the_end(0)


@case(over=newest)
def keys_do_what_they_say(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    terminal.press("t")
    terminal.wait_for_text("last 30 s")
    terminal.press("/")
    terminal.wait_for_text("Filter (regular expression):")
    terminal.type("^has_.*t$")
    terminal.press("Enter")
    terminal.wait_for(lambda lines: leader(lines)[1] == "has_input", "the filter to let has_input() through")
    expect(not has(terminal.lines(), "grind"), "the filter lets grind() through", *terminal.lines())
    terminal.press("Escape")
    terminal.wait_for_text("grind", gone="filter")
    terminal.press("s", "s")
    terminal.wait_for(lambda lines: "TOTAL▼" in lines[HEADER_ROWS], "the list to be sorted by total")
    terminal.press("H")
    terminal.wait_for_text("MOSTLY IN")
    terminal.press("Enter")
    terminal.wait_for_text("alone")
    terminal.press("Enter")
    terminal.wait_for_text("MOSTLY IN", gone="alone")
    terminal.wait_for(has_a_past, "something to go back to")
    terminal.press("Space")
    terminal.wait_for_text("PAUSED")
    terminal.press("[")
    terminal.wait_for_text("1 s ago")
    terminal.press("p")
    terminal.wait_for_text("last 30 s", gone="PAUSED")


@case(over=newest)
def what_is_seen_can_be_saved(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    path = work.out / "seen.collapsed"
    for name, answer in ((path, "Written: "), (work.out / "seen.odd", "No format"),
                         (work.folder / "none" / "x.svg", "Not written: ")):
        terminal.press("w")
        terminal.wait_for_text("Write to")
        terminal.type(str(name))
        terminal.press("Enter")
        terminal.wait_for_text(answer)
    work.expect_outputs("seen.collapsed")
    expect(functions_of(parse_collapsed(path))["grind"] > 0, "no grind() in what was saved")


def order_of(lines):
    """(title of the column that a list is sorted by, which way)"""
    found = re.search(r"(\S*)([▲▼])", lines[HEADER_ROWS])
    return found and found.groups()


@case(over=newest)
def keys_do_it_in_every_list(work, interpreter):
    """Sort, the other way round, filter, and look at all of it again."""
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    for key in "flHAGP":
        terminal.press(key)
        terminal.wait_for_text(VIEWS[key])
        column, way = order_of(terminal.lines())
        terminal.press("I")
        terminal.wait_for(lambda lines: order_of(lines) not in (None, (column, way)), "the other way round")
        expect_equal(order_of(terminal.lines())[0], column, "the column")
        terminal.press("s")
        terminal.wait_for(lambda lines: (order_of(lines) or [column])[0] != column, "another column")
        terminal.press("/")
        terminal.wait_for_text("Filter")
        terminal.type("^nothing is called so$")
        terminal.press("Enter")
        terminal.wait_for_text("Nothing passes the filter")
        terminal.press("Escape")
        terminal.wait_for_text(VIEWS[key], gone="Nothing passes")
    terminal.press("c", "s")
    terminal.wait_for_text("an order of its own")


def expect_shown(times, lines):
    """The list of functions has the shares of these times, as far as one decimal tells."""
    whole = sum(own for own, _ in times.values())
    by_name = {name: (100 * own / whole, 100 * total / whole) for (name, _), (own, total) in times.items()}
    rows = [row for row in map(ROW.match, lines[FIRST_ROW:]) if row and row[3] in by_name]
    expect(rows, "no row of what was saved", *lines)
    for row in rows:
        off = max(abs(float(shown) - saved) for shown, saved in zip(row.groups(), by_name[row[3]]))
        expect(off < 0.06, f"{by_name[row[3]]} was saved of {row[3]}", *lines)


@case(over=newest)
def every_format_can_be_saved(work, interpreter):
    """What is on the screen, which stands still: each file tells the same, and so does the screen."""
    def path_of(extension):
        return work.out / f"seen{extension}"

    target = work.target(interpreter, "shares.py")
    terminal = top(work, target, size=SIZES[1])
    terminal.wait_for(is_grinding, "grind() to lead")
    for keys, window in ((["p"], "last 5 s"), (["p", "t", "t", "p"], "since start")):
        terminal.press(*keys)
        terminal.wait_for(lambda lines: has(lines[3:4], window) and has(lines, "PAUSED"), f"{window} to stand still")
        for extension in EXTENSIONS:
            terminal.press("w")
            terminal.wait_for_text("Write to")
            terminal.type(str(path_of(extension)))
            terminal.press("Enter")
            terminal.wait_for_text(f"seen{extension}", gone="Write to")
            expect(has(terminal.lines(), "Written: "), f"{extension} cannot be saved", *terminal.lines())
        work.expect_outputs(*(path_of(extension).name for extension in EXTENSIONS))
        expect_all_the_same(path_of, work)
        expect_shown(read_jsonl_times(path_of(".jsonl"), work), terminal.lines())


@case(over=newest)
def source_and_bytecode_of_what_is_hot(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    terminal.press("Enter")
    terminal.wait_for(lambda lines: any(HOT_LINE.search(line) for line in lines), "a hot line of grind()")
    expect(has(terminal.lines(), "def grind("), "not the source of grind()", *terminal.lines())
    terminal.press("o")
    terminal.wait_for(lambda lines: any(HOT_OPCODE.match(line) for line in lines), "a hot instruction")


@case(over=newest)
def mode_and_rate_change_as_it_runs(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    terminal.press("R")
    terminal.wait_for_text("Looks a second")
    terminal.type("nonsense")
    terminal.press("Enter")
    terminal.wait_for_text("This is not a rate")
    terminal.press("R")
    terminal.wait_for_text("Looks a second")
    terminal.type("50")
    terminal.press("Enter")
    terminal.wait_for(lambda lines: "/50 Hz" in lines[1], "another rate")
    terminal.press("m")
    terminal.wait_for_text("cpu time")


def click(terminal, text):
    """Where `text` is first, as the terminal that tmux is says it."""
    row, line = next((row, line) for row, line in enumerate(terminal.lines()) if text in line)
    place = chr(33 + line.index(text)) + chr(33 + row)
    terminal.type(f"\x1b[M {place}\x1b[M#{place}")  # pressed, and let go


@case(over=newest)
def the_mouse(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    click(terminal, "FUNCTION")
    terminal.wait_for(lambda lines: "FUNCTION▲" in lines[HEADER_ROWS], "the list to be sorted by name")
    click(terminal, "LOCATION")
    terminal.wait_for(lambda lines: "LOCATION▲" in lines[HEADER_ROWS], "the list to be sorted by place")
    click(terminal, "Tree")
    terminal.wait_for_text(VIEWS["c"])
    click(terminal, "tWindow")
    terminal.wait_for_text("last 30 s")
    click(terminal, "qQuit")
    terminal.wait_for_the_end(0)


@case(over=newest_here)
def what_was_seen_stays_when_the_target_begins_anew(work, interpreter):
    """By exec, and as another process of the same command."""
    program = work.folder / "anew.py"
    program.write_text(ANEW)
    command = [interpreter.python, program]
    first = work.start(command)
    terminal = Terminal(work, [PYROMETER, "top", "--wait", first.pid])
    terminal.wait_for_text("early")
    (work.folder / "go").touch()
    terminal.wait_for_text("restarted 1 x")
    terminal.press("t", "t")
    terminal.wait_for(lambda lines: has(lines, "early") and has(lines, "late"), "both programs since the start")
    first.end_now()
    terminal.wait_for_text("waiting for the next one")
    (work.folder / "go").unlink()
    second = work.start(command)
    terminal.wait_for_text("restarted 2 x", gone="waiting")
    terminal.wait_for_text(f"PID {second.pid} ")
    expect(has(terminal.lines(), "late"), "what was before is gone", *terminal.lines())
    terminal.press("q")
    terminal.wait_for_the_end(0)


def arrange(terminal, expression):
    """Does with the list of functions what can be done with it; the texts that tell so."""
    for keys, text, answer in (("t", "last 30 s", ""), ("m", "cpu time", ""), ("/", "Filter", expression),
                               ("R", "Looks a second", "50"), ("I", "SELF▲", "")):
        terminal.press(*keys)
        terminal.wait_for_text(text)
        if answer:
            terminal.type(answer)
            terminal.press("Enter")
    kept = ("last 30 s · cpu time", f"filter {expression}", "SELF▲", "/50 Hz")
    terminal.wait_for(lambda lines: all(has(lines, text) for text in kept), "all of it to be seen")
    return kept


def expect_kept(terminal, kept):
    lines = terminal.lines()
    expect(all(has(lines, text) for text in kept), f"not all of {kept} is as it was", *lines)


@case(over=newest_here)
def a_fork_changes_nothing(work, interpreter):
    """Nor what the view shows, unless children are followed: then theirs comes to it."""
    program = work.folder / "forks.py"
    program.write_text(FORKS)
    for options, names in ((("--subprocesses",), {"ancestor", "offspring"}), ((), {"ancestor"})):
        target = work.target_of([interpreter.python, program, "stay"])
        terminal = top(work, target, *options)
        terminal.wait_for_text("ancestor")
        kept = arrange(terminal, "ancestor|offspring")
        (work.folder / "go").touch()
        child = wait_until(lambda: [*children_of(target.pid)], "the child")[0]
        terminal.wait_for(lambda lines: {row[3] for row in map(ROW.match, lines[FIRST_ROW:]) if row} == names, f"{names}")
        expect_kept(terminal, kept)
        terminal.press("P")
        terminal.wait_for(lambda lines: has(lines, "Nothing passes"), "no process of that name")
        terminal.press("Escape")
        terminal.wait_for(lambda lines: pids_of(lines), "processes")
        expect_equal(set(pids_of(terminal.lines())), {target.pid, child} if options else {target.pid}, "processes")
        expect(not has(terminal.lines(), "restarted"), "a fork is no restart", *terminal.lines())
        terminal.press("q")
        terminal.wait_for_the_end(0)
        terminal.end()
        (work.folder / "go").unlink()
        os.kill(child, signal.SIGKILL)
        target.end_now()


@case(over=newest_here)
def a_target_that_leaves_by_a_fork_is_followed(work, interpreter):
    """As programs do that go to the background: the child runs the same command."""
    program = work.folder / "forks.py"
    program.write_text(FORKS)
    target = work.target_of([interpreter.python, program, "leave"])
    terminal = top(work, target, "--wait", size=SIZES[1])
    terminal.wait_for_text("ancestor")
    kept = arrange(terminal, "ancestor|offspring")
    (work.folder / "go").touch()
    target.popen.wait(BOUND)
    terminal.wait_for(lambda lines: has(lines, "offspring") and has(lines, "restarted 1 x"), "the child to be seen")
    expect_kept(terminal, kept)
    program.unlink()  # the child ends
    terminal.wait_for_text("waiting for the next one")
    expect_kept(terminal, kept)
    terminal.press("q")
    terminal.wait_for_the_end(0)


@case(over=newest_here)
def a_restart_changes_nothing_else(work, interpreter):
    """Who was looked at alone is alone again, as another thread of another process."""
    program = work.folder / "named.py"
    program.write_text(NAMED)
    first = work.target_of([interpreter.python, program])
    terminal = top(work, first, "--wait")
    terminal.press("H")
    terminal.wait_for(lambda lines: re.match(r".* doer ", lines[FIRST_ROW]), "the thread that does most to be the first")
    terminal.press("Enter")
    terminal.wait_for_text("alone")
    terminal.press("f")
    kept = arrange(terminal, "do")
    terminal.wait_for(lambda lines: leader(lines)[1] in ("do", "doing"), "what the thread does")
    first.end_now()
    terminal.wait_for_text("waiting for the next one")
    second = work.target_of([interpreter.python, program])
    terminal.wait_for(lambda lines: lines[0].startswith(f"PID {second.pid} "), "the second process")
    tid = wait_until(lambda: next((tid for tid in map(int, os.listdir(f"/proc/{second.pid}/task")) if tid != second.pid),
                                  None), "its thread")
    terminal.wait_for_text(f"doer ({tid}) alone")
    terminal.wait_for(lambda lines: leader(lines)[1] in ("do", "doing"), "what the thread does now")
    expect_kept(terminal, kept)
    terminal.press("H")
    terminal.wait_for_text("MOSTLY IN")
    terminal.press("q")
    terminal.wait_for_the_end(0)


@case(over=newest_here)
def a_thousand_threads(work, interpreter):
    program = work.folder / "many.py"
    program.write_text(MANY)
    target = work.target_of([interpreter.python, program])
    terminal = top(work, target)
    terminal.wait_for(lambda lines: lines[1].startswith("Threads 1001 "), "a thousand threads and one")
    terminal.press("H")
    terminal.wait_for_text("MOSTLY IN")
    terminal.press("/")
    terminal.type("^idle-777$")
    terminal.press("Enter")
    terminal.wait_for(lambda lines: has(lines, "idle-777") and not has(lines, "idle-1"), "one of them alone")
    terminal.press("q")
    terminal.wait_for_the_end(0)


@case(over=newest_here)
def children_are_processes_of_the_view(work, interpreter):
    program = work.folder / "parent.py"
    program.write_text(PARENT)
    target = work.target_of([interpreter.python, program])
    terminal = top(work, target, "--subprocesses", size=SIZES[1])
    terminal.press("P")
    terminal.wait_for(lambda lines: sum("spin.py" in line for line in lines) == 2, "two children")
    terminal.press("Down", "Enter")
    terminal.wait_for(lambda lines: re.search(r"process \d+ alone", lines[3]), "one of them alone")
    terminal.press("Enter")
    terminal.wait_for_text("COMMAND", gone="alone")
    terminal.press("f")
    terminal.wait_for(lambda lines: leader(lines)[1] == "spin", "what the children do")


@case(over=newest_here)
def who_holds_the_gil_and_who_waits(work, interpreter):
    program = work.folder / "contend.py"
    program.write_text(CONTEND)
    target = work.target_of([interpreter.python, program])
    terminal = top(work, target)
    terminal.press("G")
    for one, other in (("one", "other"), ("other", "one")):
        row = re.compile(rf"^ *[\d.]+% +[\d.]+% {one}-thread +spin \(contend\.py:4\) .*\d+% {other}-thread")
        terminal.wait_for(lambda lines: any(row.match(line) for line in lines), f"{one} to wait for {other}")
    terminal.press("Enter")
    terminal.wait_for_text("-thread (")
    terminal.wait_for_text("alone")
    terminal.press("Enter")
    terminal.wait_for_text("WAITS FOR", gone="alone")


def deflates(lines):
    """Whether its calls have most of the time, and what they call leads."""
    totals = [re.match(r"\s*[\d.]+%.* ([\d.]+)% +deflate +libz", line) for line in lines[FIRST_ROW:]]
    return any(row and float(row[1]) > 80 for row in totals) and "libz" in lines[FIRST_ROW]


def calls(lines, *names):
    """Whether each of these is on the tree, below the one before."""
    rows = [re.match(r".*?%.*?%( +)\S (\S+)", line) for line in lines[FIRST_ROW:]]
    depths = [len(row[1]) for name in names for row in rows if row and row[2] == name]
    return len(depths) == len(names) and sorted(set(depths)) == depths


@case(over=three)
def machine_code_too(work, interpreter):
    """Of a library, beneath the Python function that calls it; it has no source here."""
    terminal = top(work, work.target(interpreter, "native.py", "zlib"), "--native", size=SIZES[1])
    terminal.wait_for(deflates, "deflate() of libz")
    terminal.press("Enter")
    terminal.wait_for_text("(machine code)")
    terminal.press("o")
    terminal.wait_for_text("It is machine code.")
    terminal.press("c")
    terminal.wait_for(lambda lines: calls(lines, "compress_much", "deflate"), "compress_much() to call deflate()")
    terminal.press("q")
    terminal.wait_for_the_end(0)
    terminal.wait_for_text("stopped it for")


def row_of(lines, task):
    """What is told of a task: (state, what it awaits), once it is."""
    row = next((re.search(rf" (\w+) +{task} +(\S.*)$", line.rstrip()) for line in lines if f" {task} " in line), None)
    return row and row.groups()


@case(over=three)
def what_a_task_waits_for(work, interpreter):
    """With two keys, without having been asked for at the start; then one of them alone."""
    target = work.target(interpreter, "waiters.py")
    terminal = top(work, target)
    terminal.wait_for_text("hop")
    expect(not has(terminal.lines()[:2], "Tasks "), "tasks that nobody asked for", *terminal.lines())
    terminal.press("A")
    terminal.wait_for(lambda lines: " Tasks 4 " in lines[1], "four tasks in the header")
    terminal.wait_for(lambda lines: (row_of(lines, "getter") or "")[1:] and
                      re.match(r"(Queue\.)?get \(queues\.py:\d+\)", row_of(lines, "getter")[1]), "what getter awaits")
    terminal.wait_for(lambda lines: row_of(lines, "boss") == ("waits", "task rester"), "what boss awaits")
    terminal.wait_for(lambda lines: re.search(r"^ +[1-9]\d* s waits +rester +rest \(waiters\.py:9\)", "\n".join(lines), re.M),
                      "how long rester has been at its await")
    terminal.press("/")
    terminal.type("^hopper$")
    terminal.press("Enter")
    terminal.wait_for(lambda lines: has(lines[FIRST_ROW:], " hopper") and not has(lines, " getter "), "one task to be left")
    terminal.press("Enter")
    terminal.wait_for_text("task hopper alone")
    terminal.press("/", "Enter")  # no filter any more
    terminal.press("c")
    terminal.wait_for_text("<task hopper>")
    expect(not has(terminal.lines(), "<idle>"), "more than the task", *terminal.lines())
    terminal.press("Escape")
    terminal.wait_for(lambda lines: not has(lines, "alone"), "all of it again")


@case(over=newest)
def tasks_from_the_start(work, interpreter):
    """Counted in the header and told apart in stacks, without a key; the last ones stay."""
    target = work.target(interpreter, "waiters.py")
    terminal = top(work, target, "--async-aware", size=SIZES[1])
    terminal.wait_for(lambda lines: " Tasks 4 " in lines[1], "four tasks in the header")
    terminal.press("c")
    terminal.wait_for_text("<task hopper>")
    terminal.press("A")
    terminal.wait_for(lambda lines: row_of(lines, "getter"), "a task")
    target.end_now()
    terminal.wait_for_text("ENDED")
    expect(row_of(terminal.lines(), "getter"), "the last tasks are gone", *terminal.lines())


def parent_of(folder):
    """The parent of the process that this folder of /proc is of; None if it is of none."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def pids_of(lines):
    """Of the list of processes."""
    rows = [re.match(r" *(?:[\d.]+%|-) +[\d.]+% +(\d+) ", line) for line in lines[FIRST_ROW:]]
    return [int(row[1]) for row in rows if row]


@case(over=newest_here)
def a_crowd_is_no_trouble(work, interpreter):
    """100 children, and 10,000 functions beside the hot one."""
    target = work.target_of([interpreter.python, "-c", CROWD])
    children = sorted(int(path.name) for path in Path("/proc").iterdir() if parent_of(path) == target.pid)
    expect_equal(len(children), 100, "children")
    terminal = top(work, target, "--subprocesses", "--mode", "cpu", size=SIZES[2])
    terminal.wait_for(lambda lines: leader(lines)[1] == "hot", "hot() to lead")
    terminal.press("P")
    terminal.wait_for(lambda lines: len(set(pids_of(lines)) & set(children)) > 30, "children")
    terminal.press("/")
    terminal.type(f"^{children[-1]}$")
    terminal.press("Enter")
    terminal.wait_for(lambda lines: pids_of(lines) == [children[-1]], "one of them to be left")
    terminal.press("q")
    terminal.wait_for_the_end(0)


def written_by(fd, seconds):
    """(bytes that came from a terminal's other side, seconds that it was listened to)"""
    start = time.monotonic()
    count = 0
    while (left := start + seconds - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            count += len(os.read(fd, 65536))
    return count, time.monotonic() - start


def raw_top(work, target, *words, prefix=(), **environment):
    """`pyrometer top` on a terminal of 80x24 whose other side is ours: (descriptor, process)"""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**TARGET_ENVIRONMENT, "TERM": "xterm-256color", **environment}
    profiler = work.profiler_of(
        [*prefix, PYROMETER, "top", *words, str(target.pid)], env=environment, stdin=its, stdout=its)
    os.close(its)
    return ours, profiler


def read_until(fd, text):
    """What came until that came."""
    seen = b""
    while text not in seen:
        expect(select.select([fd], [], [], BOUND)[0], f"no {text} on the screen")
        seen += os.read(fd, 65536)
    return seen


def expect_quiet(ours):
    """A picture comes every half a second at most, so there is a bound for however many bytes came."""
    written_by(ours, 8 * PICTURE_S)  # the marks at the bars fill up
    count, seconds = written_by(ours, 6 * PICTURE_S)
    expect(count > 0, "nothing came: there was no picture to judge")
    pictures = seconds / PICTURE_S + 2
    expect(count <= QUIET_BYTES * pictures, f"{count} bytes in {seconds:.1f} s")


def leave(ours, profiler):
    os.write(ours, b"q")
    expect_equal(profiler.popen.wait(BOUND), 0, "exit status")
    os.close(ours)


@case(over=newest_here)
def a_quiet_screen_is_left_alone(work, interpreter):
    ours, profiler = raw_top(work, work.target_of([interpreter.python, "-c", QUIET]))
    read_until(ours, b"rest")
    expect_quiet(ours)
    leave(ours, profiler)


@case(over=newest_here)
def quiet_tasks_are_left_alone(work, interpreter):
    ours, profiler = raw_top(work, work.target_of([interpreter.python, "-c", QUIET_TASKS]), "--async-aware")
    os.write(ours, b"A")
    read_until(ours, b"sleeper-2")
    expect_quiet(ours)
    leave(ours, profiler)


def colours_in(seen):
    """Whether any of these escape sequences sets a colour."""
    parts = [part for words in re.findall(rb"\x1b\[([0-9;]*)m", seen) for part in words.split(b";") if part]
    return [part for part in map(int, parts) if 30 <= part <= 38 or 40 <= part <= 48 or 90 <= part <= 107]


@case(over=newest_here)
def no_color_has_no_colours(work, interpreter):
    target = work.target(interpreter, "shares.py")
    for environment, is_coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "vt100"}, False)):
        ours, profiler = raw_top(work, target, **environment)
        seen = read_until(ours, b"grind")
        os.write(ours, b"H")
        seen += read_until(ours, b"MainThread")
        expect_equal(bool(colours_in(seen)), is_coloured, f"colours with {environment}")
        leave(ours, profiler)


@case(over=newest)
def the_end_of_the_target_is_told(work, interpreter):
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    target.end_now()
    terminal.wait_for_text("ENDED")
    expect(has(terminal.lines(), "grind"), "the last picture is gone", *terminal.lines())
    terminal.press("c")
    terminal.wait_for_text(VIEWS["c"])
    terminal.press("q")
    terminal.wait_for_the_end(0)


@case(over=newest)
def a_signal_gives_the_terminal_back(work, interpreter):
    target = work.target(interpreter, "shares.py")
    for number, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 0),
                           (signal.SIGQUIT, 128 + signal.SIGQUIT)):
        terminal = top(work, target)
        terminal.wait_for(is_grinding, "grind() to lead")
        os.kill(terminal.pid(), number)
        terminal.wait_for_the_end(status)
        terminal.end()


@case(over=newest_here)
def keys_that_end_it_at_once(work, interpreter):
    """Ctrl-C is a way to quit, also while a question is open; Ctrl-\\ ends it, and keeps nothing."""
    target = work.target(interpreter, "shares.py")
    for keys, status in ((("C-c",), 0), (("/", "C-c"), 0), (("C-\\",), 128 + signal.SIGQUIT)):
        terminal = top(work, target)
        terminal.wait_for(is_grinding, "grind() to lead")
        terminal.press(*keys)
        terminal.wait_for_the_end(status)
        terminal.end()


@case(over=newest_here)
def it_can_be_suspended(work, interpreter):
    """Ctrl-Z gives the terminal back until it goes on, with the whole picture."""
    target = work.target(interpreter, "shares.py")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    terminal.press("C-z")
    terminal.wait_for_text(f"stopped={STOPPED}", gone="grind")
    terminal.expect_given_back()
    terminal.press("Enter")
    terminal.wait_for(is_grinding, "grind() to lead")
    terminal.press("H")
    terminal.wait_for_text("MOSTLY IN", gone="stopped")
    terminal.press("q")
    terminal.wait_for_the_end(0)


@case(over=newest_here)
def a_terminal_that_is_gone_ends_it(work, interpreter):
    """As when a connection is lost: with SIGHUP for whoever it is the terminal of, and errors for all."""
    target = work.target(interpreter, "shares.py")
    for prefix in ((), ("setsid", "--ctty")):
        ours, profiler = raw_top(work, target, prefix=prefix)
        read_until(ours, b"grind")
        os.close(ours)
        expect_equal(profiler.popen.wait(BOUND), 0, f"exit status after {prefix}")
    terminal = top(work, target)
    terminal.wait_for(is_grinding, "grind() to lead")
    pid = terminal.pid()
    terminal.ask("kill-session")
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "it to end with its terminal")


def crash(pid, draws):
    thread = pid if not draws else next(
        int(name) for name in os.listdir(f"/proc/{pid}/task") if int(name) != pid)
    ctypes.CDLL(None).syscall(234, pid, thread, int(signal.SIGSEGV))  # tgkill() of x86-64


@case(over=newest)
def a_crash_gives_the_terminal_back(work, interpreter):
    """Whichever of the threads crashes: that which samples, or that which draws."""
    target = work.target(interpreter, "shares.py")
    for draws in (False, True):
        terminal = top(work, target)
        terminal.wait_for(is_grinding, "grind() to lead")
        crash(terminal.pid(), draws)
        terminal.wait_for_the_end(128 + signal.SIGSEGV)
        terminal.end()


@case(over=newest_here)
def a_command_of_its_own(work, interpreter):
    """What it says does not get into the picture, and it ends with the view."""
    said = "import time\nwhile True: print('STRAY', flush=True); time.sleep(0.01)"
    program = work.folder / "program"
    program.write_text(said)
    terminal = Terminal(work, [PYROMETER, "top", "--", interpreter.python, program])
    terminal.wait_for(lambda lines: has(lines, "<module>"), "the command's function")
    expect(not has(terminal.lines(), "STRAY"), "stray output", *terminal.lines())
    terminal.press("q")
    terminal.wait_for_the_end(0)


@case(over=newest_here)
def without_a_terminal(work, interpreter):
    target = work.target(interpreter, "shares.py")
    for words in (("top",), ("attach", "--live")):
        expect_refusal(work.pyrometer(*words, target.pid), 2, "terminal")
    for term, word in (("dumb", "TERM"), ("no-such-terminal", "TERM"), ("", "TERM")):
        ours, profiler = raw_top(work, target, TERM=term)
        expect_refusal(profiler.finish(), 2, "terminal", word)
        os.close(ours)


@case()
def what_cannot_be_shown_is_told(work):
    """On the terminal, after that was given back."""
    sleeper = work.start(["sleep", "1000"])
    terminal = Terminal(work, [PYROMETER, "top", sleeper.pid])
    terminal.wait_for_the_end(5)
    terminal.wait_for_text("pyrometer: ")


if __name__ == "__main__":
    sys.exit(main())
