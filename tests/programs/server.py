"""A WSGI application whose answers take work: server.py for gunicorn, as server:answer."""

import os
import time


def work(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def answer(environ, start_response):
    work(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d\n" % os.getpid()]
