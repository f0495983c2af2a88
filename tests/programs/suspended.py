"""Greenlets that stand still, in two threads, and the program's own account of where they do."""

import sys
import threading

from greenlet import getcurrent, greenlet

from truth import name_of, ready

HOME = {}  # of each thread: the greenlet that goes back to its main one


def give_way():
    HOME[threading.get_ident()].switch()  #@ give way


def dig(levels):
    if levels > 1:
        dig(levels - 1)
    else:
        give_way()


def numbers():
    yield 1
    give_way()
    yield 2


def in_a_generator():
    for _ in numbers():
        pass


def in_a_key():
    """Called through C code."""
    sorted([2, 1], key=lambda number: give_way())


class Digger(greenlet):
    def run(self):
        dig(3)


def start(*greenlets):
    HOME[threading.get_ident()] = getcurrent()
    for each in greenlets:
        each.switch()
    return list(greenlets)


def stand_in_the_way(kept, done):
    """What a greenlet of the other thread does, so that the thread's main one is suspended."""
    kept += start(greenlet(in_a_key), Digger())
    done.set()
    threading.Event().wait()


def other_thread(kept, done):
    kept.append(getcurrent())
    greenlet(stand_in_the_way).switch(kept, done)


def frames_of(suspended):
    frames, frame = [], suspended.gr_frame
    while frame is not None:
        frames.append([name_of(frame.f_code), frame.f_lineno])
        frame = frame.f_back
    return frames


def main():
    kept, done = [], threading.Event()
    other = threading.Thread(target=other_thread, args=(kept, done), daemon=True)
    other.start()
    done.wait()
    ours = start(greenlet(lambda: dig(1)), greenlet(lambda: dig(60)), greenlet(in_a_generator), Digger())
    over, unborn = greenlet(lambda: None), greenlet(give_way)
    over.switch()
    tids = [(threading.main_thread().native_id, ours), (other.native_id, kept)]
    ready(suspended=[[tid, frames_of(each)] for tid, those in tids for each in those])
    sys.stdin.read()
    return unborn


if __name__ == "__main__":
    main()
