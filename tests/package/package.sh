#!/bin/bash
# The Debian package: built, checked by lintian, installed and purged in this
# release's root, and used on its Xen.
# limit: 2400
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$here/../.." && pwd)
tests=$project/tests

if [ "$(id -u)" != 0 ] || ! "$tests/need" deb suite; then
    echo "skip - package: needs packages, and root for its root"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' INT TERM HUP

# check DESC COMMAND...
check() {
    local desc=$1; shift
    if "$@" >"$work/log" 2>&1 </dev/null; then
        echo "ok - package: $desc"
    else
        echo "not ok - package: $desc"
        tail -n 40 "$work/log" | sed 's/^/    /'
        return 1
    fi
}

# What it takes to build is told in two places.
build_depends() {
    "$tests/need" -l build |
        grep -vxE 'gcc|make|libc6-dev' >"$work/need"    # build-essential
    sed -n '/^Build-Depends:/,/^[^ ]/s/^ \([a-z0-9.+-]*\).*,$/\1/p' \
        "$project/debian/control" | grep -v '^debhelper' >"$work/control"
    diff "$work/need" "$work/control"
}
check "Build-Depends are what tests/need has" build_depends

check "is built" make -C "$project" deb BUILD="$work/build" || exit
set -- "$work"/build/deb/xl-snapshot_*.deb
deb=$work/share/$(basename "$1")
mkdir "$work/share" "$work/empty"
cp "$1" "$work/share/"
check "lintian" lintian --fail-on error,warning "$work"/build/deb/*.changes

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$("$tests/xen/prepare" root "$suite")/root || exit
cp "$here/in-root" "$work/share/"
unshare --mount bash -euc '
    root=$1 work=$2
    mount -t tmpfs tmpfs "$work/empty"
    mkdir "$work/empty"/{upper,work,root}
    mount -t overlay overlay -o \
        "lowerdir=$root,upperdir=$work/empty/upper,workdir=$work/empty/work" \
        "$work/empty/root"
    cd "$work/empty/root"
    mount --bind "$work/share" mnt
    mount --bind /proc proc
    mount -t tmpfs tmpfs tmp
    exec chroot . /mnt/in-root "/mnt/$3"
' in-root "$root" "$work" "$(basename "$deb")"

# nothing of the project but the package
XEN_BED_STAGE=$work/empty "$tests/xen/suite" --share "$work/share" \
    "$tests/xen/package.test"
