# lvm.sh: guests on a thin and a classic logical volume, for lvm*.test.

modprobe -a dm-snapshot dm-thin-pool || bail "no modules"
mkvg vg0 1500
lvcreate -q -y -T -L 512M vg0/pool >/dev/null || bail "no thin pool"
# One with a hyphen, which a device's name has twice
lvcreate -q -y -L 64M -n a-1 vg0 >/dev/null || bail "no volume"
lvcreate -q -y -T -V 64M -n b_1 vg0/pool >/dev/null || bail "no thin volume"
mkdisk /dev/vg0/a-1 raw
mkdisk /dev/vg0/b_1 raw

# volumes: how many of them are snapshots of ours
volumes() { lvs --noheadings -o lv_name @xl-snapshot | wc -l; }
# all: every volume's name
all() { lvs --noheadings -o lv_name vg0 | tr -d ' ' | sort | paste -sd ' '; }

. /bed/rewind.sh

# start TYPE: a guest on both kinds, one of its paths by device-mapper's name,
# with a snapshot s1
start() {
    type=$1
    declare -gA before=() after=()
    guest g1 "$type" /dev/mapper/vg0-a--1 /dev/vg0/b_1
    wait_ticks g1 2
    boot=$(boot_id g1)
    snap s1
    wait_ticks g1 2
}

# The least, for the other types of guest
brief() {
    start "$1"
    back s1
    back s1
    check "$type: shutdown" xl shutdown g1
    check "$type: it is gone" wait_until 60 guest_gone g1
    check "$type: delete" xl snapshot-delete -q g1 s1
    check "$type: no volume is left" test "$(all)" = "a-1 b_1 pool"
}

life() {
    start "$1"
    snap s2
    check "$type: a volume for each disk and snapshot" test "$(volumes)" = 4
    back s1
    back s2
    back s1
    back s1
    check "$type: no other volumes" test "$(volumes)" = 4

    old=$(xl domid g1)
    check "$type: reboot" xl reboot g1
    wait_until 60 new_domid "$old"
    mark g1
    check "$type: it came up again" wait_ticks g1
    check "$type: on disks that agree" disks_agree g1
    n=$(counter g1)
    check "$type: poweroff" xl shutdown g1
    check "$type: it is gone" wait_until 60 guest_gone g1
    mark g1
    guest_start g1
    check "$type: the same configuration boots the same disks" \
        test "$(rewound_to g1)" -ge "$n"
    back s2
    check "$type: shutdown after a revert" xl shutdown g1
    check "$type: it is gone again" wait_until 60 guest_gone g1
    back s1
    check "$type: delete one while it runs" xl snapshot-delete -q g1 s1
    check "$type: its volumes are gone" test "$(volumes)" = 2
    back s2
    xl destroy g1
    check "$type: delete the other while it does not" \
        xl snapshot-delete -q g1 s2
    check "$type: no volume is left" test "$(all)" = "a-1 b_1 pool"
}
