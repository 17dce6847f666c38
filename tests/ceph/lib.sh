# shellcheck shell=bash
# shellcheck disable=SC2034    # the scripts use its variables
# lib.sh: for a test script beside a real Ceph cluster (bash; sourced inside
# tests/ceph/cluster).  The guest is qemu-storage-daemon, whose client is what
# the kernel's would be; sysfs is a folder that tells of it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 2
op=$root/${BUILD:-build}/tests/ceph/op
work=$CEPH_DIR/work
mkdir -p "$work"
export CEPH_SYS=$work/sys
failed=0
test_name=ceph

ok() { # ok CONDITION-STATUS DESCRIPTION [WHY]
    if [ "$1" = 0 ]; then
        echo "ok - $test_name: $2"
    else
        echo "not ok - $test_name: $2${3:+: $3}"
        failed=1
    fi
}
said() { tr '\n' ' ' <"$work/err"; }
check() { # check DESCRIPTION COMMAND...: succeeds
    "${@:2}" >"$work/out" 2>"$work/err" </dev/null
    ok $? "$1" "$(said)"
}
fails() { # fails DESCRIPTION WORDS COMMAND...: status 1, one line, the words
    local status
    "${@:3}" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status = 1 ] && [ "$(wc -l <"$work/err")" = 1 ] &&
        grep -qe "$2" "$work/err"
    ok $? "$1" "status $status: $(said)"
}
is() { # is DESCRIPTION WANT GOT
    [ "$2" = "$3" ]
    ok $? "$1" "'$3', not '$2'"
}
until_true() { # until_true COMMAND...: within a minute
    local end=$((SECONDS + 60))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# What rbd answers is never waited for longer.
ceph_rbd() { timeout 60 rbd "$@"; }
snaps() { ceph_rbd snap ls --format json "$1" | jq -r '.[].name' | sort | xargs; }
watchers() { ceph_rbd status --format json "$1" | jq -r '.watchers[].client'; }

# open_image NAME SOCKET: somebody opens rbd/NAME; the process is in $opened
open_image() {
    qemu-storage-daemon \
        --blockdev "driver=rbd,node-name=n,pool=rbd,image=$1,user=xen" \
        --nbd-server "addr.type=unix,addr.path=$work/$2" \
        --export type=nbd,id=e,node-name=n,name=it,writable=on \
        </dev/null >"$work/$2.out" 2>&1 &
    opened=$!
    until_true nbd "$2" 'read 0 512' >/dev/null 2>&1
}
nbd() { # nbd SOCKET QEMU-IO-COMMAND
    timeout 60 qemu-io -f raw -c "$2" "nbd+unix:///it?socket=$work/$1" 2>&1 |
        grep -qE 'wrote|read'
}
# gone PROCESS...: they end
gone() { kill "$@" 2>/dev/null; wait "$@" 2>/dev/null; }
killed() { kill -9 "$@" 2>/dev/null; wait "$@" 2>/dev/null; }

# map NUMBER NAME CLIENT: sysfs tells of rbd/NAME
map() {
    local dir=$CEPH_SYS/bus/rbd/devices/$1
    mkdir -p "$dir"
    echo rbd >"$dir/pool"
    echo >"$dir/pool_ns"
    echo "$2" >"$dir/name"
    ceph_rbd info --format json "rbd/$2" | jq -r .id >"$dir/image_id"
    echo - >"$dir/current_snap"
    sed -n 's/^fsid = //p' "$CEPH_CONF" >"$dir/cluster_fsid"
    echo "client$3" >"$dir/client_id"
    echo "198.51.100.7:6789 name=xen,key=client.xen rbd $2 -" \
        >"$dir/config_info"
    echo 250 >"$dir/major"
    echo 0 >"$dir/minor"
}
unmap() { rm -rf "$CEPH_SYS/bus/rbd/devices/$1"; }

# start NAME [SIZE]: a guest on an image, new if it is, its script has mapped it
start() {
    ceph_rbd info "rbd/$1" >/dev/null 2>&1 ||
        ceph_rbd create --size "${2:-64M}" "rbd/$1"
    open_image "$1" "guest.$1"
    guest=$opened
    map 0 "$1" "$(watchers "rbd/$1")"
}
# stop: the domain is destroyed, its script has unmapped the image
stop() {
    gone "$guest"
    unmap 0
}
work_on() { nbd "guest.$1" "write -P $2 0 8M"; } # work_on NAME BYTE
# holds NAME BYTE: the image, to who has not opened it yet
holds() {
    timeout 60 qemu-io -r -f raw -c "read -P $2 0 8M" "rbd:rbd/$1:id=xen" 2>&1 |
        grep -q '^read' && ! timeout 60 qemu-io -r -f raw \
            -c "read -P $2 0 8M" "rbd:rbd/$1:id=xen" 2>&1 | grep -q fail
}
# took NAME SNAPSHOT BYTE: with the guest's content; its record is $work/SNAPSHOT
took() {
    work_on "$1" "$3" && "$op" draft "$work/$2" "rbd/$1" "$2" 0badcafe &&
        "$op" take "$work/$2"
}
