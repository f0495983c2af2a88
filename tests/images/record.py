#!/usr/bin/env python3
"""Records the memory of a Python, for tests/unit/test_images.c.

    tests/images/record.py TEST_IMAGES LABEL COMMAND...

TEST_IMAGES is the built program, LABEL the layout's ("3.11"), COMMAND starts that Python, for example
`python3.11` or `chroot /some/root python3.14`. Writes tests/images/LABEL/memory.image, and
expected.txt as the Python itself tells it; fails when the two do not agree. Where that Python lies in
somebody's home, put another path of the same length in its place, in both files, before you commit.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
# -I: nothing of whoever records gets into the image; -S: as few modules as can be.
START = ["-I", "-S", "-c", "import sys; exec(compile(sys.argv[1], 'program.py', 'exec'))"]


def read_expected(target):
    lines = []
    while not lines or not lines[-1].startswith("Python "):
        line = target.stdout.readline()
        if not line:
            sys.exit("the program ended")
        lines.append(line)
    return "".join(lines)


def stop(target):
    """The thread that told has to be gone, and the others have to stand still."""
    while len(os.listdir(f"/proc/{target.pid}/task")) > 2:
        time.sleep(0.05)
    time.sleep(0.2)
    os.kill(target.pid, signal.SIGSTOP)


def record(test_images, label, command):
    program = (FOLDER / "program.py").read_text(encoding="utf-8")
    folder = FOLDER / label
    folder.mkdir(exist_ok=True)
    image = folder / "memory.image"
    target = subprocess.Popen(
        command + START + [program], stdout=subprocess.PIPE, text=True, encoding="utf-8", env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    )
    try:
        expected = read_expected(target)
        stop(target)
        recorded = subprocess.run(
            [test_images, "record", str(target.pid), str(image)], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    finally:
        target.kill()
        target.wait()
    (folder / "expected.txt").write_text(expected, encoding="utf-8")
    if recorded != expected:
        sys.exit(f"recorded:\n{recorded}\nbut it is:\n{expected}")
    print(f"{image}: {image.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    record(sys.argv[1], sys.argv[2], sys.argv[3:])
