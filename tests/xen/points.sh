# shellcheck shell=bash disable=SC2154
# points.sh: create, revert and delete of guest g1, stopped at one of their
# fault points (tests/fake/spec.h), for cuts.dom0 and faults.test.
#
# Snapshot s0 is always there; s1 before a revert (to s0) and a deletion (of
# s1), and is what a create makes.  $known is a folder for what is known:
#   boot           the boot id of the guest
#   ticks.NAME     the number of a tick before snapshot NAME, and of one after
#   content.NAME   a sum of what NAME keeps of the disk xvda
#   points         OP NUMBER PLACE STEP: all there are

store=/var/lib/xen/snapshots
tool=/bed/faults/xl-snapshot
image=$PWD/a.qcow2              # xvda: internal snapshots
link=$PWD/e.qcow2               # xvdb: external ones
wish="disks=['vdev=xvdb,type=external']"

### the guest and its snapshots

start_guest() {
    mkdisk a.qcow2 qcow2 16
    mkdisk e.qcow2 qcow2 16
    guest g1 pvh a.qcow2 e.qcow2
    boot_id g1 >"$known/boot"
    snap s0
}

names() { xl snapshot-list -n g1 2>"$bed_tmp/hint" | paste -sd ' '; }

# content NAME: a sum of the content of xvda in a snapshot
content() {
    qemu-img convert -U -l "snapshot.name=$1" -O raw "$image" /tmp/content &&
        md5sum </tmp/content
    rm -f /tmp/content
}

# snap NAME: a snapshot, and what is known about it
snap() {
    local before
    before=$(counter g1)
    check "create $1" xl snapshot-create -q g1 "$1" "$wish"
    wait_ticks g1
    echo "$before $(counter g1)" >"$known/ticks.$1"
    content "$1" >"$known/content.$1"
}

# is NAME: the guest that runs since its mark is the one of that snapshot
is() {
    local before after n
    wait_ticks g1 || { echo "no ticks"; return 1; }
    read -r before after <"$known/ticks.$1"
    n=$(rewound_to g1)
    [ "$n" -gt "$before" ] && [ "$n" -le "$after" ] ||
        { echo "counts from $n, not $before to $after"; return 1; }
    [ "$(boot_id g1)" = "$(cat "$known/boot")" ] ||
        { echo "it is another boot"; return 1; }
    disks_agree g1
}

# back_to NAME: a revert brings that snapshot's guest
back_to() {
    mark g1
    xl snapshot-revert -q g1 "$1" && is "$1"
}

# nothing_but NAME...: the store and the images hold these snapshots
nothing_but() {
    local name
    test "$(ls -A $store/g1)" = "$(printf '%s\n' .lock domain.json "$@")" ||
        { ls -lA $store/g1; return 1; }
    for name; do
        test "$(ls -A $store/g1/"$name" | sed 's/\.zst$//')" = \
            $'memory.xl\nsnapshot.json' ||
            { ls -lA $store/g1/"$name"; return 1; }
    done
    test "$(qemu-img snapshot -U -l "$image" |
        awk 'NR > 2 { print $2 }' | sort)" = "$(printf '%s\n' "$@")" ||
        { qemu-img snapshot -U -l "$image"; return 1; }
    # the link, the live layer, and one of each snapshot
    set -- "$@" link live
    test "$(find "$link"* | wc -l)" = $# || { ls -l "$link"*; return 1; }
}

# sound: no image has errors.  Clusters that leaked are none: QEMU writes late
# that one is free.
sound() {
    local file status
    for file in "$image" "$link"*; do
        status=0
        qemu-img check -q "$file" || status=$?
        [ $status = 0 ] || [ $status = 3 ] || { echo "$file"; return 1; }
    done
}

### operations and their points

# words_of OP: its command line
words_of() {
    case $1 in
    create) echo snapshot-create -q g1 s1 "$wish" ;;
    revert) echo snapshot-revert -q g1 s0 ;;
    delete) echo snapshot-delete -q g1 s1 ;;
    esac
}

# before OP: what it needs; expects s0 alone
before() { [ "$1" = create ] || snap s1; }

# list_points OP: runs it, and lists what it passes.  A step without points
# would never be stopped at.
list_points() {
    local words steps place log=$known/log
    read -ra words < <(words_of "$1")
    steps=$(xl -N "${words[@]}" | grep -c '^ *[0-9]*\. ')
    rm -f "$log"
    check "$1 lists its points" env FAULT_LOG="$log" "$tool" "${words[@]}"
    for place in before after; do
        check "$1: each of $steps steps has a point $place it" \
            test "$steps" -gt 0 -a "$steps" = "$(grep -c " $place " "$log")"
    done
    sed "s/^txn/$1/" "$log" >>"$known/points"
}

# list_all_points: of all three; leaves s0 alone
list_all_points() {
    list_points create
    list_points delete
    wait_ticks g1
    mark g1
    list_points revert
    check "revert: the guest is that of s0" is s0
}

### afterwards

# judge OP LIST: false if neither the old nor the new state has this list of
# snapshots.  Sets $current, and $how the operation ended: undone, completed,
# or for a revert, of which the list does not tell, empty.
judge() {
    how='' current=s0
    case "$1:$2" in
    create:s0 | delete:s0\ s1) how=undone ;;
    create:s0\ s1 | delete:s0) how=completed ;;
    revert:s0\ s1) return ;;
    *) return 1 ;;
    esac
    [ "$2" = s0 ] || current=s1
}

is_current() { xl snapshot-list -j g1 "$1" | grep '"current":true'; }

# recover COMMAND...: by one of which nothing else comes: $refused
refused=(snapshot-delete g1 nosuch)
recover() {
    "$@" "${refused[@]}" 2>"$bed_tmp/said" </dev/null
    [ $? = 1 ] && tail -n 1 "$bed_tmp/said" |
        grep -qE "(has no snapshot 'nosuch'|domain g1 is not running) " ||
        { cat "$bed_tmp/said"; return 1; }
}

# said OP HOW [ALSO]: the last recover did this, and said no more, but for a line
# with ALSO
said() {
    local lines=2 end="recovery: an interrupted $1 of snapshot 's[01]' of \
domain g1 was $2\$"
    [ -z "${3:-}" ] || lines=3
    [ "$2" != dropped ] ||
        end="the interrupted $1 of domain g1 to 's0' is dropped, as"
    grep -qE "^xl: $end" "$bed_tmp/said" && grep -q "${3:-.}" "$bed_tmp/said" &&
        [ "$(wc -l <"$bed_tmp/said")" = $lines ] ||
        { cat "$bed_tmp/said"; return 1; }
}

# said_nothing: the last recover had nothing to do
said_nothing() {
    [ "$(wc -l <"$bed_tmp/said")" = 1 ] || { cat "$bed_tmp/said"; return 1; }
}
