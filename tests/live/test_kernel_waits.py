#!/usr/bin/env python3
"""What threads wait for in the kernel: dump, recordings and the table against the program's threads."""

import json

from harness import case, expect, expect_equal, main, three

WAITS = {
    "sleeps": "sleeps",
    "waits for a lock": "locked",
    "polls": "polls",
    "waits for the network": "network",
    "waits for a file": "file",
    "waits for a child": "child",
}


def doings_of(work, target):
    """{thread: what dump says that it does}, once all wait."""
    for _ in range(100):
        dumped = json.loads(work.pyrometer("dump", "--json", target.pid).out)
        doings = {thread["name"]: thread["doing"] for thread in dumped["threads"]}
        if all(any(doing in WAITS for doing in doings.get(name, ())) for name in WAITS):
            break
    return doings


@case(over=three)
def dump_says_what_threads_wait_for(work, interpreter):
    doings = doings_of(work, work.target(interpreter, "kernelwaits.py"))
    for name in WAITS:
        expect_equal([doing for doing in doings[name] if doing in WAITS], [name], f"{name}: {doings}")


@case(over=three)
def samples_say_what_threads_wait_for(work, interpreter):
    target = work.target(interpreter, "kernelwaits.py")
    doings_of(work, target)
    recording, table, lines = (work.out / name for name in ("k.pyro", "k.txt", "k.jsonl"))
    work.profile("attach", target.pid, "-d", "1", "-o", recording)
    work.pyrometer("replay", recording, "-o", table, "-o", lines)
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    found = {}
    for row in rows:
        if row["type"] == "samples":
            found.setdefault(row["thread"], set()).update(set(row.get("state", ())) & set(WAITS.values()))
    for name, state in WAITS.items():
        expect_equal(found.get(name), {state}, f"{name}: {found}")
    text = table.read_text()
    expect("wait %  in the kernel" in text, "no breakdown", text)
    for name in WAITS:
        row = next((line.split(None, 1) for line in text.splitlines() if line.endswith("  " + name)), None)
        # The main thread waits for its input.
        sevenths = 2 if name == "waits for a file" else 1
        expect(row is not None and abs(float(row[0]) - sevenths * 100 / 7) < 1,
               f"{name} is {sevenths} sevenths of the time: {row}", text)


if __name__ == "__main__":
    raise SystemExit(main())
