#!/bin/sh
# Compiles each header alone: headers.sh HEADER... -- COMPILER FLAG...
set -u
headers=
while [ "$1" != -- ]; do
    headers="$headers $1"
    shift
done
shift

bad=0
for header in $headers; do
    echo "#include \"$header\"" | "$@" -fsyntax-only -x c - || {
        echo "$header: does not compile alone" >&2
        bad=1
    }
done
exit $bad
