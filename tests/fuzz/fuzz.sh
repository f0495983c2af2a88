#!/bin/sh
# libFuzzer against targets of tests/unit/fuzz_targets.h, one after the other; prints TAP.
#
#   fuzz.sh SECONDS [TARGET...]    SECONDS in all; what reads recordings when no target is named
#
# What was found, and what it learned for the next time, is in build/fuzz.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
[ $# -gt 0 ] || set -- recording payload tables

build=build/fuzz
: "${CLANG:=clang}"
program=$build/tests/libfuzzer
mkdir -p $build
# What a make above us was told is not meant for this build.
env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory DEV=1 CC="$CLANG" BUILD=$build \
    SAN=fuzzer-no-link,address,undefined LDFLAGS=-fsanitize=fuzzer $program >$build/build.log 2>&1 || {
    cat $build/build.log >&2
    echo "Bail out! it does not build"
    exit 1
}

echo "1..$#"
number=0
bad=0
for target in "$@"; do
    number=$((number + 1))
    mkdir -p "$build/corpus/$target"
    if FUZZ_TARGET=$target $program -max_total_time=$((seconds / $#)) -max_len=1024 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/$target-" "$build/corpus/$target" \
        >"$build/$target.log" 2>&1; then
        echo "ok $number - $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log") inputs"
    else
        echo "not ok $number - $target"
        tail -n 60 "$build/$target.log" | sed 's/^/# /'
        bad=1
    fi
done
exit $bad
