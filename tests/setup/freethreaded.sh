#!/bin/sh
# Builds free-threaded Pythons from Debian's own source packages, once, each into the root of the
# cache that has that version (/opt/python3.13t and so on there): Debian has no such packages. Takes
# minutes each; a build happens in a copy of the root, so that nothing but its result stays.
#
#   freethreaded.sh [VERSION...]     all of them by default
set -eu

roots=${PYROMETER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pyrometer}/roots
copy=$roots/freethreaded.new
[ $# -gt 0 ] || set -- 3.13 3.14 3.15

root_of() { # VERSION
    for root in "$roots"/*/; do
        if [ -e "${root}usr/include/python$1/Python.h" ]; then
            echo "${root%/}"
            return
        fi
    done
}

write_build() { # VERSION RESULT
    cat <<EOT
set -eu
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
# Lists of a release in the making may be out of date; debootstrap does not mind that either.
apt-get -q -o Acquire::Check-Valid-Until=false update
apt-get -q -y install --no-install-recommends \\
    gcc libc6-dev make dpkg-dev pkgconf zlib1g-dev libffi-dev libssl-dev
mkdir /build
cd /build
# The copy is thrown away, so apt may read what only root can read.
apt-get -q -o APT::Sandbox::User=root source python$1
cd python$1-*
./configure -q --disable-gil --disable-test-modules --without-ensurepip --prefix=/$2 \\
    OPT='-DNDEBUG -fwrapv -O1'
make -s -j2
make -s install
EOT
}

build() { # VERSION ROOT RESULT
    rm -rf "$copy"
    cp -a --reflink=auto "$2" "$copy"
    cp /etc/resolv.conf "$copy/etc/resolv.conf"
    # The root knows its mirror from debootstrap, as "deb"; sources are asked for as "deb-src". What
    # testing lists may be gone from the mirror by now; unstable is where it comes from.
    sed 's/^deb /deb-src /; s/ forky / sid /' "$copy/etc/apt/sources.list" \
        >"$copy/etc/apt/sources.list.d/source.list"
    write_build "$1" "$3" >"$copy/build.sh"
    # Mounts and processes of its own: they are gone when this shell is, and with them the danger
    # for rm.
    # shellcheck disable=SC2016
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child sh -c '
        mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" sh /build.sh
    ' sh "$copy" >"$roots/freethreaded-$1.log" 2>&1 || return 1
    mkdir -p "$2/opt"
    cp -a "$copy/$3" "$2/$3.new"
    mv "$2/$3.new" "$2/$3"
}

if [ "$(id -u)" -ne 0 ]; then
    echo "freethreaded: entering a root needs root" >&2
    exit 1
fi
mkdir -p "$roots"
exec 9>"$roots/freethreaded.lock"
flock 9
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

status=0
for version; do
    root=$(root_of "$version")
    result=opt/python${version}t
    if [ -z "$root" ]; then
        echo "freethreaded: no root has Python $version: run tests/setup/roots.py" >&2
        status=1
    elif [ ! -d "$root/$result" ]; then
        echo "freethreaded: building $root/$result"
        if ! build "$version" "$root" "$result"; then
            echo "freethreaded: failed, see $roots/freethreaded-$version.log:" >&2
            tail -n 5 "$roots/freethreaded-$version.log" >&2
            status=1
        fi
    fi
done
exit $status
