# core.sh: the main job with a guest of one type, for core-*.test.

store=/var/lib/xen/snapshots

# The guest's kernel panics when its suspend is cancelled on this Xen: also by
# "xl save -c".
how=()
case $(xl info xen_version) in
4.14.*) how=(--cold) ;;
esac

# snap NAME: a snapshot of g1; notes between which ticks it was taken
snap() {
    before[$1]=$(counter g1)
    check "create $1" xl snapshot-create "${how[@]}" g1 "$1"
    grep -q "^Created snapshot '$1' of domain g1: downtime [0-9.]* s, memory " \
        "$bed_tmp/out" && ok "create $1 prints the downtime and the sizes" ||
        fail "create $1 prints the downtime and the sizes"
    wait_ticks g1 2
    after[$1]=$(counter g1)
}

# What tells an HVM guest that has one in which of its lives it is
genid() {
    xenstore-read "/local/domain/$(xl domid g1)/platform/generation-id" \
        2>/dev/null
}

# back NAME: a revert of g1; memory and both disks must be those of NAME
back() {
    local n old
    old=$(genid)
    mark g1
    check "revert to $1" xl snapshot-revert g1 "$1"
    wait_ticks g1 3
    n=$(rewound_to g1)
    check "$1: the counter is that of the snapshot" \
        test "$n" -gt "${before[$1]}" -a "$n" -le "${after[$1]}"
    check "$1: no reboot in between" test "$(boot_id g1)" = "$boot"
    check "$1: the disks hold what memory remembers" disks_agree g1
    [ -z "$old" ] || check "$1: the generation id ($old) is another one" \
        test "$(genid)" != "$old"
    check "$1 is current" test "$(xl snapshot-list -j g1 "$1" |
                                  grep -c '"current":true')" = 1
}

core() {
    local type=$1 boot
    declare -A before after
    mkdisk a.qcow2 qcow2
    mkdisk b.qcow2 qcow2
    guest g1 "$type" a.qcow2 b.qcow2
    wait_ticks g1 3
    boot=$(boot_id g1)
    [ -z "${GUEST_CFG:-}" ] ||
        check "it has a generation id" test -n "$(genid)"

    snap s1
    wait_ticks g1 3
    snap s2
    wait_ticks g1 3
    snap s3
    check "disks agree while snapshots are taken" disks_agree g1
    check "three snapshots are listed" test "$(xl snapshot-list -n g1)" = \
        $'s1\ns2\ns3'
    check "the metadata has the downtime" test "$(xl snapshot-list -j g1 s2 |
        sed -n 's/.*"downtime_ms":\([0-9]*\).*/\1/p')" -gt 0

    back s2
    back s3
    back s1
    # A branch: its parent is the snapshot gone back to
    snap s4
    check "the parent of a branch" grep -q '"parent":"s1"' \
        $store/g1/s4/snapshot.json
    check "the tree" test "$(xl snapshot-list -t g1)" = \
        $'o s1\n|-* s4 <- you are here\n|\no s2\n|\no s3'

    check "delete an inner one while the guest runs" \
        xl snapshot-delete g1 s2
    check "its child got its parent" grep -q '"parent":"s1"' \
        $store/g1/s3/snapshot.json
    check "the guest is shut down" xl shutdown -w g1
    wait_until 30 guest_gone g1
    check "delete the others while it does not run" \
        xl snapshot-delete g1 s1 s3 s4
    for disk in a b; do
        check "no snapshot is left in $disk" no_snapshots_in $disk.qcow2
        check "image $disk is clean" image_clean $disk.qcow2
    done
    check "no file is left in the store" test -z "$(ls -A $store)"
}
