#!/bin/sh
# Profiles a small program and leaves the flame graph in build/demo. Run from the root of the tree.
set -eu

folder=build/demo
mkdir -p "$folder"

"${PYTHON:-python3}" tests/demo/program.py 20 &
program=$!
trap 'kill "$program" 2>/dev/null || true; wait "$program" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
sleep 1 # past the imports, to what it is there for

echo "Profiling process $program for 3 seconds: build/pyrometer attach -d 3 $program"
echo
build/pyrometer attach -d 3 -o "$folder/flamegraph.html" -o "$folder/hottest.txt" "$program"
cat "$folder/hottest.txt"
echo
echo "Flame graph: $PWD/$folder/flamegraph.html (open it in a browser)"
