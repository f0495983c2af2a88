#!/bin/sh
# Checks every #include "..." of the given files against tests/layers.txt.
exec awk '
function area_of(path,    i) { # the first line of layers.txt that `path` falls under
    for (i = 1; i <= count; i++)
        if (path == key[i] || index(path, key[i] "/") == 1) return i
    return 0
}
function complain(text) { print FILENAME ":" FNR ": " text; bad = 1 }
FILENAME == ARGV[1] {
    sub(/#.*/, "")
    if (NF == 0) next
    key[++count] = $1
    for (i = 2; i <= NF; i++) may[count, $i] = 1
    next
}
FNR == 1 {
    from = area_of(FILENAME)
    if (!from) complain("belongs to no layer of tests/layers.txt")
}
/^[ \t]*#[ \t]*include[ \t]*"/ && from && !may[from, "*"] {
    split($0, part, "\"")
    to = area_of(part[2])
    if (!to) complain("\"" part[2] "\" does not start at the root of the tree")
    else if (to != from && !may[from, key[to]])
        complain(key[from] " may not include " key[to] " (" part[2] ")")
}
END { exit bad }
' tests/layers.txt "$@"
