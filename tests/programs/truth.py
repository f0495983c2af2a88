"""What the target programs share: each says itself, by Python's own means, what is true about it."""

import json
import os
import select
import sys
import threading
import time


def name_of(code):
    """The name a profile should show: qualified from 3.11 on, plain before."""
    return getattr(code, "co_qualname", code.co_name)


def lines_marked(path):
    """{mark: line} for every comment `#@ mark` in a source file."""
    with open(path, encoding="utf-8") as source:
        return {
            line.split("#@", 1)[1].strip(): number
            for number, line in enumerate(source, 1)
            if "#@" in line
        }


def column_of(frame):
    """1-based column of the instruction a frame stands at; None before 3.11."""
    if not hasattr(frame.f_code, "co_positions"):
        return None
    for index, (_, _, column, _) in enumerate(frame.f_code.co_positions()):
        if index * 2 == frame.f_lasti:
            return None if column is None else column + 1
    return None


def stack_of(frame):
    """Frames from here to the root, leaf first."""
    frames = []
    while frame is not None:
        frames.append(
            {
                "function": name_of(frame.f_code),
                "file": frame.f_code.co_filename,
                "line": frame.f_lineno,
                "column": column_of(frame),
            }
        )
        frame = frame.f_back
    return frames


def threads_now(skip=()):
    """Every thread of the `threading` module but those in `skip`: its kernel id, name and stack."""
    frames = sys._current_frames()
    return [
        {
            "tid": thread.native_id,
            "name": thread.name,
            "main": thread is threading.main_thread(),
            "frames": stack_of(frames[thread.ident]),
        }
        for thread in threading.enumerate()
        if thread not in skip and thread.ident in frames
    ]


def wait_until_still(seconds=0.4, looks=5):
    """Returns when no other thread has moved for `looks` looks."""
    here = threading.get_ident()
    last, same = None, 0
    while same < looks:
        time.sleep(seconds / looks)
        now = {
            ident: (id(frame), frame.f_lasti)
            for ident, frame in sys._current_frames().items()
            if ident != here
        }
        same = same + 1 if now == last else 0
        last = now


def say(word, **facts):
    """One line for the test: a word and JSON."""
    sys.stdout.write(word + " " + json.dumps(facts) + "\n")
    sys.stdout.flush()


def ready(**facts):
    say("READY", pid=os.getpid(), **facts)


def has_input():
    """Whether the test has written to our standard input, or closed it."""
    return bool(select.select([0], [], [], 0)[0])
