"""A server of the old kind: workers, forked before there is anything to do, take requests from a socket
that they share, and are replaced when they have had some.

Of each request a part is computed, a part hashed without the GIL, and a part waited for a database.
Asked (anything on standard input; its end ends us) it says what each worker has done so far, by clocks of
its own: time and CPU time in each part, and in serve(), which is all of them and what lies between.
"""

import hashlib
import mmap
import os
import select
import socket
import struct
import sys
import time

from truth import ready, say

WORKERS = 4
CLIENTS = 6
REQUESTS = 30  # of one worker, or some more
SLOTS = 400  # workers there can be in all
CRUNCH, HASH, WAIT = 0.003, 0.001, 0.02

clock = time.perf_counter
BUFFER = b"x" * (1 << 16)


def crunch(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def digest(seconds):
    """hashlib gives the GIL away for what is longer than 2 KiB."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        hashlib.sha256(BUFFER).digest()


def wait_for_database(seconds):
    time.sleep(seconds)


PARTS = ((crunch, CRUNCH), (digest, HASH), (wait_for_database, WAIT))
NAMES = [part.__name__ for part, _ in PARTS] + ["serve"]
ACCOUNT = struct.Struct("q%dd" % (2 * len(NAMES)))  # pid, spent and used of each


class Board:
    """What the workers tell, in memory that they share with the master."""

    def __init__(self):
        self.memory = mmap.mmap(-1, SLOTS * ACCOUNT.size)
        self.taken = 0

    def tell(self, slot, account):
        ACCOUNT.pack_into(self.memory, slot * ACCOUNT.size, os.getpid(), *account)

    def read(self):
        accounts = [ACCOUNT.unpack_from(self.memory, slot * ACCOUNT.size) for slot in range(self.taken)]
        return {row[0]: {"spent": dict(zip(NAMES, row[1::2])), "used": dict(zip(NAMES, row[2::2]))}
                for row in accounts if row[0]}


def handle(account):
    for i, (part, seconds) in enumerate(PARTS):
        begin, begin_cpu = clock(), time.process_time()
        part(seconds)
        account[2 * i] += clock() - begin
        account[2 * i + 1] += time.process_time() - begin_cpu


def serve(board, slot, listening, master):
    """Until it has had its requests, or the master is gone."""
    account = [0.0] * (2 * len(NAMES))
    start, start_cpu = clock(), time.process_time()
    left = REQUESTS + slot % 7  # they do not all end at once
    while left > 0 and os.getppid() == master:
        if not select.select([listening], [], [], 0.1)[0]:
            continue
        try:
            client, _ = listening.accept()
        except BlockingIOError:
            continue  # another one was quicker
        with client:
            handle(account)
            left -= 1
            account[-2:] = clock() - start, time.process_time() - start_cpu
            board.tell(slot, account)
            client.sendall(b"done")


def ask_for_ever(listening, master):
    address = listening.getsockname()
    listening.close()
    while os.getppid() == master:
        try:
            with socket.create_connection(address, timeout=1) as server:
                server.recv(10)
        except OSError:
            pass  # asked again


def fork(function, *arguments):
    master = os.getpid()
    if os.fork() == 0:
        try:
            function(*arguments, master)
        finally:
            os._exit(0)


def add_worker(board, listening):
    fork(serve, board, board.taken, listening)
    board.taken += 1


def watch(board, listening):
    """The master: replaces those that have ended, and answers whoever asks."""
    while True:
        if select.select([0], [], [], 0.005)[0]:
            asked = os.read(0, 100)
            say("TRUTH", elapsed=clock(), workers=board.read())
            if not asked:
                return
        while os.waitpid(-1, os.WNOHANG)[0] and board.taken < SLOTS:
            add_worker(board, listening)


def main():
    board = Board()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        for _ in range(WORKERS):
            add_worker(board, listening)
        for _ in range(CLIENTS):
            fork(ask_for_ever, listening)
        while len(board.read()) < WORKERS:
            time.sleep(0.01)
        ready()
        watch(board, listening)


if __name__ == "__main__":
    sys.exit(main())
