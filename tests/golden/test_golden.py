#!/usr/bin/env python3
"""One fixed trace through every exporter, compared with what is in expected/.

    test_golden.py                 compare (prints TAP)
    test_golden.py --update        rewrite expected/ instead
    test_golden.py --write FOLDER  only write the outputs into FOLDER

What writes is tests/make_trace in the folder of the program that $PYROMETER names. Every file that it
writes must have a golden, so a new format fails until --update was run and its result looked at.
"""

import difflib
import gzip
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
EXPECTED = HERE / "expected"
DIFF_LINES = 40
# Has no golden: another zstd may compress in another way. What is read back from it has them all.
RECORDING = Path("recording.pyro")

# A page is compared by its data alone: extension -> what is compared, as the first group.
PARTS = {
    ".html": re.compile(rb'<script id="pyrometer-data" type="application/json">(.*?)</script>', re.DOTALL),
}


def make_trace():
    """The program beside the pyrometer that is tested; the newest one when none is named."""
    if os.environ.get("PYROMETER"):
        return Path(os.environ["PYROMETER"]).parent / "tests" / "make_trace"
    built = (TREE / "build").glob("*/tests/make_trace")
    return max(built, key=lambda program: program.stat().st_mtime, default=Path("build/make_trace"))


def write_outputs(folder, *recording):
    subprocess.run([str(make_trace()), str(folder), *map(str, recording)], check=True)


def compared_part(path):
    """(name of the golden, bytes to compare)"""
    data = path.read_bytes()
    if path.suffix == ".gz":  # another zlib may compress in another way
        return path.stem, gzip.decompress(data)
    pattern = PARTS.get(path.suffix)
    if not pattern:
        return path.name, data
    found = pattern.findall(data)
    if len(found) != 1:
        return path.name + ".data", b"%d data blocks in the page, wanted one\n" % len(found)
    return path.name + ".data", found[0]


def compared_parts(folder):
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix != RECORDING.suffix)
    return dict(compared_part(path) for path in paths)


def outputs():
    with tempfile.TemporaryDirectory() as folder:
        write_outputs(folder)
        return compared_parts(folder)


def replayed_outputs():
    """The same by way of a recording."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as again:
        write_outputs(folder)
        write_outputs(again, folder / RECORDING)
        return compared_parts(again)


def shorten(line):
    return line if len(line) <= 200 else f"{line[:190]}... ({len(line)} characters)"


def differences(wanted, found):
    texts = [data.decode(errors="backslashreplace").splitlines() for data in (wanted, found)]
    lines = difflib.unified_diff(*texts, "expected", "written", n=1, lineterm="")
    return [shorten(line) for line in lines][:DIFF_LINES]


def check_golden(name, data):
    golden = EXPECTED / name
    if not golden.exists():
        return [f"no golden {golden.relative_to(TREE)}: run {Path(__file__).name} --update, and look at it"]
    return differences(golden.read_bytes(), data) if golden.read_bytes() != data else []


def check_no_forgotten(written):
    return [f"{path.name}: no format writes this" for path in EXPECTED.glob("*") if path.name not in written]


def wilson(hits, samples, z=1.959964):
    share = hits / samples
    middle = (share + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z / (1 + z * z / samples) * math.sqrt(share * (1 - share) / samples + (z / samples / 2) ** 2)
    return max(0, middle - half), min(1, middle + half)


def check_ranges(table):
    """The ranges in the table against the closed formula of Wilson's interval."""
    text = table.decode()
    samples = int(re.search(r"([\d,]+) samples", text)[1].replace(",", ""))
    rows = re.findall(r"^ *([\d.]+) +([\d.]+)-([\d.]+) ", text, re.MULTILINE)
    problems = [] if rows else ["no rows"]
    for percent, low, high in rows:
        hits = round(float(percent) * samples / 100)
        wanted = "-".join(f"{share * 100:.2f}" for share in wilson(hits, samples))
        if f"{low}-{high}" != wanted:
            problems.append(f"{hits} of {samples}: {low}-{high}, wanted {wanted}")
    return problems


def update():
    EXPECTED.mkdir(exist_ok=True)
    written = outputs()
    for path in EXPECTED.iterdir():
        if path.name not in written:
            path.unlink()
    for name, data in written.items():
        (EXPECTED / name).write_bytes(data)


def compare():
    written = outputs()
    results = [(f"golden {name}", check_golden(name, data)) for name, data in written.items()]
    replayed = replayed_outputs()
    results += [(f"replayed {name}", check_golden(name, data)) for name, data in replayed.items()]
    missing = [f"{name}: not written from a recording" for name in written if name not in replayed]
    results.append(("every format from a recording", missing))
    results.append(("no golden is left over", check_no_forgotten(written)))
    results.append(("ranges of the table", check_ranges(written["table.txt"])))
    print(f"1..{len(results)}")
    for number, (name, problems) in enumerate(results, 1):
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if any(problems for _, problems in results) else 0


def main():
    if sys.argv[1:] == ["--update"]:
        return update()
    if sys.argv[1:2] == ["--write"] and len(sys.argv) == 3:
        return write_outputs(sys.argv[2])
    if sys.argv[1:]:
        sys.exit(__doc__)
    return compare()


if __name__ == "__main__":
    sys.exit(main())
