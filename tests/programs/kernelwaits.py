"""Threads that wait in the kernel, each named after what it waits for. Ends with its input."""

import os
import select
import socket
import subprocess
import sys
import threading
import time

from truth import ready

CHILD = "import sys; sys.stdin.read()"  # ends when we do


def sleeps():
    time.sleep(3600)


def waits_for_a_lock():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def polls():
    poll = select.poll()
    poll.register(os.pipe()[0], select.POLLIN)
    poll.poll()


def waits_for_the_network():
    mine, other = socket.socketpair()
    mine.recv(1)
    other.close()


def waits_for_a_file():
    reading, writing = os.pipe()
    os.read(reading, 1)
    os.close(writing)


def waits_for_a_child():
    subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE).wait()


for wait in (sleeps, waits_for_a_lock, polls, waits_for_the_network, waits_for_a_file, waits_for_a_child):
    threading.Thread(target=wait, name=wait.__name__.replace("_", " "), daemon=True).start()
ready()
sys.stdin.read()
