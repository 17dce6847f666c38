# shellcheck shell=bash
# both SUITE: on the Xen of that Debian release, the main job with the project
# beside the packaged xl, and with an xl of the release's source that has the
# commands in it.

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

both() {
    local suite=$1 status=0
    "$tests/need" suite || status=$?
    if [ $status != 0 ] || [ "$(id -u)" != 0 ]; then
        echo "skip - $suite: needs packages, and root for its roots"
        exit 0
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 143' INT TERM HUP
    "$tests/releases/build-xl" "$suite" "$work" || exit
    "$tests/xen/suite" --suite "$suite" --share "$work/root" \
        "$tests/xen/core-pvh.test" "$tests/xen/inxl.test"
}
