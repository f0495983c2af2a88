#!/bin/sh
# Builds a free-threaded Python from Debian's own source package, once, into the trixie root of the
# cache (/opt/freethreaded there): Debian has no such package. Takes minutes; the build happens in a
# copy of the root, so that nothing but the result stays.
set -eu

package=python3.13
roots=${PYROMETER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pyrometer}/roots
root=$roots/trixie
copy=$roots/freethreaded.new
result=opt/freethreaded

[ ! -d "$root/$result" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "freethreaded: entering a root needs root" >&2
    exit 1
fi
if [ ! -d "$root" ]; then
    echo "freethreaded: no $root: run tests/setup/roots.py" >&2
    exit 1
fi

echo "freethreaded: building a free-threaded $package in $copy"
exec 9>"$roots/freethreaded.lock"
flock 9
[ ! -d "$root/$result" ] || exit 0
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$copy"
cp -a --reflink=auto "$root" "$copy"
cp /etc/resolv.conf "$copy/etc/resolv.conf"
# The root knows its mirror from debootstrap, as "deb"; sources are asked for as "deb-src".
sed -n 's/^deb /deb-src /p' "$copy/etc/apt/sources.list" >"$copy/etc/apt/sources.list.d/source.list"

cat >"$copy/build.sh" <<EOT
set -eu
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
apt-get -q update
apt-get -q -y install --no-install-recommends \
    gcc libc6-dev make dpkg-dev pkgconf zlib1g-dev libffi-dev libssl-dev
mkdir /build
cd /build
# The copy is thrown away, so apt may read what only root can read.
apt-get -q -o APT::Sandbox::User=root source $package
cd $package-*
./configure -q --disable-gil --disable-test-modules --without-ensurepip --prefix=/$result \
    OPT='-DNDEBUG -fwrapv -O1'
make -s -j2
make -s install
EOT

# Mounts and processes of its own: they are gone when this shell is, and with them the danger for rm.
# shellcheck disable=SC2016
setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" sh /build.sh
' sh "$copy" >"$roots/freethreaded.log" 2>&1 || {
    echo "freethreaded: failed, see $roots/freethreaded.log:" >&2
    tail -n 5 "$roots/freethreaded.log" >&2
    exit 1
}
mkdir -p "$root/opt"
cp -a "$copy/$result" "$root/$result.new"
mv "$root/$result.new" "$root/$result"
