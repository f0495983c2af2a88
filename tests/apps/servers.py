"""The servers that are profiled: how each is started on a port of its own, and asked."""

import json
import socket
import sys
import time
import urllib.request
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
WORKERS = 4
ANSWER_SECONDS = 60
# The loopback is asked directly, whatever proxies there are.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# {name: what follows `python3 -m`, but for the descriptor to listen on}
COMMANDS = {
    "fastapi": ["uvicorn", "--app-dir", PROGRAMS, "--log-level", "critical", "--fd", "{}", "site_fastapi:app"],
    "django": ["gunicorn", "--chdir", PROGRAMS, "--log-level", "critical", "--workers", str(WORKERS),
               "--bind", "fd://{}", "site_django:application"],
}


def command_of(name, listening):
    return [sys.executable, "-m", *(str(word).format(listening.fileno()) for word in COMMANDS[name])]


def listen():
    """A socket on the loopback for a server to inherit; connections wait in it until that is up."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    listening.set_inheritable(True)
    return listening


def address_of(listening):
    return f"http://127.0.0.1:{listening.getsockname()[1]}/"


def ask(address):
    """The answer: {"total", "pid"}."""
    with _opener.open(address, timeout=ANSWER_SECONDS) as answer:
        return json.load(answer)


def wait_until_up(address, tries=600):
    for _ in range(tries):
        try:
            return ask(address)
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"no answer from {address}")
