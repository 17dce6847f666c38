#!/bin/bash
# A user between a crash and the recovery, with a reboot of dom0 between: in
# each state in which a revert or a cold create can be left, on files and on
# volumes, he starts his guest by hand, works, and shuts it down.  His work is
# there after the recovery.  And the same where, instead of shutting it down, he
# loses the power some seconds after his guest's first writes, on ext4 and XFS.
# See meanwhile.dom0.
# limit: 6000
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! "$here/../need" xen; then
    echo "skip - meanwhile: packages are missing"
    exit 0
fi

mkdir -p "${XEN_BED_CACHE:=$here/.cache}"
data=$XEN_BED_CACHE/meanwhile.$$.raw
xfs=${data%.raw}.xfs
share=$(mktemp -d)
trap 'rm -rf "$share" "$data" "$data.lock" "$xfs"' EXIT
trap 'exit 143' INT TERM HUP

# boot WANT PART...: with WANT as the bed's exit status; once more if dom0 did
# not come up at all
boot() {
    local want=$1 status tries=2; shift
    rm -f "$share/began"
    while [ $tries -gt 0 ] && [ ! -e "$share/began" ]; do
        status=0
        "$here/bed" --cut --keep --data "$data" --limit 2400 \
            --share "$share" "$here/meanwhile.dom0" "$@" 2>&1 || status=$?
        tries=$((tries - 1))
    done
    [ $status = "$want" ] && return
    echo "not ok - meanwhile: the boot for '$*' ended with status $status"
    exit 1
}

boot 0 crash
boot 0 work

rm -f "$data" "$share"/*
truncate -s 2G "$xfs"
export XEN_BED_QEMU="${XEN_BED_QEMU:-} -drive \
file=$xfs,format=raw,if=virtio,cache=unsafe"
boot 0 crash-for-cuts
for seconds in 0 2 8 30; do
    boot 96 cut "$seconds"
done
boot 0 after-cuts
