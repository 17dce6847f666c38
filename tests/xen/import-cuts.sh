#!/bin/bash
# An export brought to another dom0, with a disk that has nothing of it, and the
# power cut at points of the import: the next boot has all of it or nothing, and
# the import can be done.  See import-cuts.dom0.
#
# XEN_CUTS=all: at each point; default: once each step has been done.
# limit: 3600
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=import-cuts
# shellcheck source=tests/xen/boots.sh
. "$here/boots.sh"

boot 96 made
rm -f "$data"           # that host is no more
boot 0 points
mapfile -t points < <(awk -v all="${XEN_CUTS:-}" \
    'all == "all" || $2 == "after" { print $1 }' "$share/points")
if [ ${#points[@]} -lt 8 ]; then
    echo "not ok - $name: the import has ${#points[@]} points"
    exit 1
fi
for point in "${points[@]}"; do
    boot 96 "$point"
done
boot 0 look
echo "note - $name: ${#points[@]} points"
