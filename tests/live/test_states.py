#!/usr/bin/env python3
"""A program splits its time among what a thread can be doing: the states of its samples must say so."""

import sys

from activities import HANDLES, HOLDS_GIL, Watch, expect_states_and_modes, replayed, seconds_by_stack, share_of
from harness import (
    NEW_PIDS, case, children_of, every, expect, expect_equal, expect_likely, main, need_pid_namespaces, three)


@case(over=every)
def states_of_samples(work, interpreter):
    expect_states_and_modes(work, work.target(interpreter, "states.py"))


@case(over=three)
def modes_while_sampling(work, interpreter):
    """Outputs hold what counts in the mode, recordings everything."""
    target = work.target(interpreter, "states.py")
    for mode, state in (("cpu", "running"), ("gil", "has_gil"), ("exception", "exception")):
        recording = work.out / f"{mode}.pyro"
        watch = Watch(work, target, "--no-gc", "--mode", mode, "-o", recording)
        expect(all(state in found for _, found, _ in watch.samples), f"{mode}: samples of another state")
        expect_likely("collecting" in set.union(*(s for _, s, _ in watch.samples)) or mode == "exception",
                      "no collection was seen")
        expect(not any("<GC>" in names for names, _, _ in watch.samples), "<GC> in spite of --no-gc")
        expect_equal(seconds_by_stack(replayed(work, recording)), seconds_by_stack(watch.samples),
                     f"what a recording in mode {mode} holds of that mode")
        everything = replayed(work, recording, "-m", "wall")
        total = sum(seconds for _, _, seconds in everything)
        if mode == "cpu":
            watch.expect_cpu(watch.samples, total)
        elif mode == "gil":
            watch.expect_shares([
                ("GIL", sum(s for _, _, s in watch.samples) / total,
                 share_of(watch.wall, (*HOLDS_GIL, "other")))])
        else:
            watch.expect_shares([
                ("exception", sum(s for _, _, s in watch.samples) / total,
                 share_of(watch.wall, HANDLES))])


@case(over=three)
def in_other_namespaces(work, interpreter):
    """The threads have other ids there, and the files other names."""
    need_pid_namespaces()
    unshare = work.target_of([*NEW_PIDS, *work.command(interpreter, "states.py")])
    [pid] = children_of(unshare.pid)
    Watch(work, unshare, pid=pid).expect_states()


if __name__ == "__main__":
    sys.exit(main())
