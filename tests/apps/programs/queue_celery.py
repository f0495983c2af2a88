"""A worker of Celery with four prefork processes that always have work, sent by a thread of their
parent: queue_celery.py FOLDER. The broker is that folder, so that no server is needed."""

import ctypes
import os
import signal
import sys
import threading
import time

from celery import Celery, signals
from work import crunch

WORKERS = 4
AHEAD = 20  # messages that wait for a worker

folder = sys.argv[1]
app = Celery("queue_celery", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": folder, "data_folder_out": folder, "control_folder": f"{folder}/control",
    "polling_interval": 0.01}
app.conf.worker_redirect_stdouts = False


@app.task(ignore_result=True)
def handle():
    for _ in range(10):
        crunch()


def send():
    while True:
        if len(os.listdir(folder)) < AHEAD:
            handle.delay()
        else:
            time.sleep(0.01)


@signals.worker_process_init.connect
def end_with_parent(**_):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@signals.worker_ready.connect
def begin(**_):
    threading.Thread(target=send, daemon=True).start()
    print("READY {}", flush=True)


if __name__ == "__main__":
    sys.exit(app.worker_main(["worker", "--pool", "prefork", "--concurrency", str(WORKERS), "--without-gossip",
                              "--without-mingle", "--without-heartbeat", "--loglevel", "CRITICAL"]))
