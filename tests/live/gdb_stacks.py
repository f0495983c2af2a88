"""Runs inside gdb: for every PID that it is told on standard input, one line of JSON with the stack
of each thread, {"TID": [[PC, NAME or null], ...]}, newest first, without inlined functions and those
that have jumped to others instead of calling them: these have no part of the stack."""

import json
import os
import sys

import gdb

FRAMES = 2000
NO_FRAMES = (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME)


def stack_of_selected():
    frames, frame = [], gdb.newest_frame()
    while frame is not None and len(frames) < FRAMES:
        if frame.type() not in NO_FRAMES:
            frames.append([frame.pc(), name_of(frame)])
        frame = frame.older()
    return frames


def name_of(frame):
    """Its function's name: frame.name() is that of what was inlined into it, so the symbol table is
    asked. A call may be the last instruction of its function."""
    pc = frame.pc() - (frame.level() > 0 and frame.older() is not None)
    said = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return None if said.startswith("No symbol") else said.split(" in section")[0].split(" + ")[0]


def stacks_of(pid):
    program = os.readlink(f"/proc/{pid}/exe")  # in a chroot gdb does not find it by itself
    if gdb.current_progspace().filename != program:
        gdb.execute(f"file {program}", to_string=True)
    gdb.execute(f"attach {pid}", to_string=True)
    stacks = {}
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        stacks[thread.ptid[1]] = stack_of_selected()
    gdb.execute("detach", to_string=True)
    return stacks


for line in sys.stdin:
    try:
        answer = stacks_of(int(line))
    except gdb.error as error:
        answer = {"error": str(error)}
    sys.stdout.write("STACKS " + json.dumps(answer) + "\n")
    sys.stdout.flush()
