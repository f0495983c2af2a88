#!/bin/sh
# Installs what is missing of some groups of packages.txt: deps.sh GROUP...
set -eu

table=$(dirname "$0")/packages.txt
groups=" $* "

is_installed() { # PACKAGE
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_there() { # PACKAGE INSTEAD
    case $2 in
        -) is_installed "$1" ;;
        /*) [ -e "$2" ] || is_installed "$1" ;;
        *) command -v "$2" >/dev/null 2>&1 || is_installed "$1" ;;
    esac
}

missing=
why_missing=
while read -r package group instead why; do
    case $package in '' | '#'*) continue ;; esac
    case $groups in *" $group "*) ;; *) continue ;; esac
    is_there "$package" "$instead" && continue
    missing="$missing $package"
    why_missing="$why_missing
  $package: $why"
done <"$table"

[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "deps: not a Debian system, so not checked; we may need, by Debian's names:$why_missing" >&2
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "deps: missing:$why_missing" >&2
    echo "deps: run as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt() {
    apt-get -y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}
# The names are words without spaces, so splitting $missing is what we want.
# shellcheck disable=SC2086
install_missing() {
    apt install --no-install-recommends $missing
}

echo "deps: installing:$why_missing"
# shellcheck disable=SC2086
apt install -s --no-install-recommends $missing >/dev/null 2>&1 || apt update
# A list from yesterday may name files that the mirror no longer has.
install_missing || { apt update && install_missing; }
