#!/bin/sh
# Looks in the files of the tree for what must not be there. Run from the root of the tree.
# The patterns are written so that they do not find themselves.
set -u
bad=0

# With no repository (a tar ball, say) every file is looked at that is not a result.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null ||
        find . -name build -prune -o -name node_modules -prune -o -name .git -prune -o -type f -print
}

forbid() { # WHY PATTERN FILE...
    why=$1 pattern=$2
    shift 2
    [ $# -gt 0 ] || return 0
    if grep -nHIE -e "$pattern" -- "$@"; then
        echo "^ $why" >&2
        bad=1
    fi
}

set -f
IFS='
'
# shellcheck disable=SC2046
set -- $(files)
forbid "the tree must not depend on the place where it was written" \
    '(^|[^A-Za-z0-9_.-])/(work|tmp/lab)(/|[^A-Za-z0-9_-]|$)' "$@"
forbid "where packages come from is for the machine to know" \
    '(deb|snapshot|security|archive)[.](debian|ubuntu)[.](org|com)|registry[.]npmjs|pypi[.]org|pythonhosted[.]org' "$@"

sources=$(printf '%s\n' "$@" | grep -E '^(\./)?(profiler|reader|target-runtime|exporters|tui)/.*\.[ch]$' |
    grep -vE 'target-runtime/(runtime\.c|layouts/)')
# shellcheck disable=SC2086
forbid "versions are compared in target-runtime/runtime.c alone; elsewhere a choice in the layout" \
    '\<minor[a-z_]*\)? *(==|!=|<=?|>=?) *[0-9]|\<[0-9]+ *(==|!=|<=?|>=?) *[a-z_>.-]*minor\>|switch *\(.*\<minor' \
    $sources

exit $bad
