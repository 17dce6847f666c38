#!/bin/bash
# Guests on images of a real Ceph cluster, which runs beside the emulator and
# is reached over the network.
# limit: 1500
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${CEPH_CLUSTER:-}" ]; then
    # There is no other network where the cluster is
    for part in kit hypervisor programs; do
        "$here/prepare" $part >/dev/null || exit 1
    done
    exec "$here/../ceph/cluster" -t 1400 "$0"
fi
export XEN_BED_QEMU="${XEN_BED_QEMU:-} -netdev user,id=net0 \
-device virtio-net-pci,netdev=net0,romfile="
mkdir "$CEPH_DIR/share"
cp "$CEPH_DIR"/client.*.keyring "$CEPH_DIR/share"
sed "s,$CEPH_DIR/\\\$name,/etc/ceph/ceph.\$name," "$CEPH_CONF" \
    >"$CEPH_DIR/share/ceph.conf"
exec "$here/bed" --limit 1300 --share "$CEPH_DIR/share" "$here/rbd.dom0"
