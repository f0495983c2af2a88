#!/bin/sh
# Checks the style of the given files. Versions of clang-format differ in places: that of Debian 12
# decides, any other one only tells.
set -u
reference=14
clang_format=$(command -v clang-format-$reference || echo clang-format)
version=$("$clang_format" --version | sed 's/.*version \([0-9]*\).*/\1/')
"$clang_format" --dry-run -Werror "$@" && exit 0
[ "$version" != "$reference" ] || exit 1
echo "style: said by clang-format ${version:-?}; $reference decides, and is not here" >&2
command -v "$clang_format" >/dev/null
