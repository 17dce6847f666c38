# shellcheck shell=bash disable=SC2154
# rewind.sh: snapshots of g1 and the way back to them, for kinds.sh, lvm.sh and
# layers.test.
# The caller has $type, a word for its lines, $boot, the boot id of the guest,
# the associative arrays $before and $after, and perhaps $wish, one more word
# for each create.

# snap NAME [OPTION...]: a snapshot of g1; notes between which ticks
snap() {
    local name=$1; shift
    before[$name]=$(counter g1)
    check "$type: create $name $*" xl snapshot-create -q "$@" g1 "$name" \
        ${wish:+"$wish"}
    wait_ticks g1 2
    after[$name]=$(counter g1)
    check "$type: $name: the disks agree" disks_agree g1
}

# back NAME: a revert of g1; memory and all disks must be those of NAME
back() {
    local n
    mark g1
    check "$type: revert to $1" xl snapshot-revert -q g1 "$1"
    wait_ticks g1 3
    n=$(rewound_to g1)
    check "$type: $1: the counter is that of the snapshot" \
        test "$n" -gt "${before[$1]}" -a "$n" -le "${after[$1]}"
    check "$type: $1: no reboot in between" test "$(boot_id g1)" = "$boot"
    check "$type: $1: the disks hold what memory remembers" disks_agree g1
}

# new_domid OLD: g1 exists with another id
new_domid() {
    local id
    id=$(xl domid g1 2>/dev/null) && [ "$id" != "$1" ]
}
