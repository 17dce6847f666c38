# kinds.sh: a guest whose disks have snapshots of different kinds, hot and
# cold, for kinds-*.test.

store=/var/lib/xen/snapshots
wish="disks=['vdev=xvda,type=external']"

. /bed/rewind.sh

# boots_right WHAT: it starts anew, with the bytes that it had before
boots_right() {
    check "$1: it runs again" wait_ticks g1
    check "$1: it did boot" test "$(boot_id g1)" != "$boot"
    check "$1: the disks go on where they were" test "$(rewound_to g1)" -ge "$2"
    check "$1: the disks agree" disks_agree g1
}

kinds() {
    local type=$1 boot last id
    declare -A before after
    mkdisk e.qcow2 qcow2
    mkdisk i.qcow2 qcow2
    mkdisk r.raw raw
    mkdisk q.raw raw
    guest g1 "$type" e.qcow2 i.qcow2 r.raw \
        "format=raw, backendtype=qdisk, vdev=xvdd, access=rw, target=$PWD/q.raw"
    wait_ticks g1 2
    boot=$(boot_id g1)

    snap s1
    snap s2
    snap s3 --cold
    snap live --live
    snap s4
    check "kinds" test "$(xl snapshot-list -j g1 s4 |
        grep -o '"type":"\(external\|internal\|copy\)"' | sort -u | wc -l)" = 3
    back s2
    back live
    back s4
    back s1
    snap s5
    check "delete an inner one while the guest runs" \
        xl snapshot-delete -q g1 s2
    check "delete the one that it runs on" xl snapshot-delete -q g1 s1
    check "the guest goes on" wait_ticks g1
    check "its disks agree" disks_agree g1
    back s3

    last=$(counter g1) id=$(xl domid g1)
    mark g1
    check "reboot" xl reboot g1
    wait_until 60 new_domid "$id"
    boots_right reboot "$last"
    boot=$(boot_id g1) last=$(counter g1)
    check "poweroff" xl shutdown -w g1
    wait_until 60 guest_gone g1
    mark g1
    check "xl create with the untouched configuration" xl create -q g1.cfg
    boots_right "xl create" "$last"

    check "delete one while the guest runs from its layer" \
        xl snapshot-delete -q g1 s4
    wait_ticks g1
    check "the disks agree after that" disks_agree g1
    check "destroy" xl destroy g1
    check "delete the others without the guest" \
        xl snapshot-delete -q g1 s3 s5 live
    for disk in e i; do
        check "image $disk is clean" image_clean $disk.qcow2
    done
    check "the path is a plain file again" test -f e.qcow2 -a ! -L e.qcow2
    check "no layer or copy is left" test \
        "$(ls -- *.qcow2* *.raw* | paste -sd ' ')" = "e.qcow2 i.qcow2 q.raw r.raw"
    check "no file is left in the store" test -z "$(ls -A $store)"
}
