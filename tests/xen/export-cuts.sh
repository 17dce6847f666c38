#!/bin/bash
# Power cuts of snapshot-export: what had ended with success is whole on the next
# boot, directory or tar; what was cut is not there, is made by the same command,
# and leaves nothing.  See export-cuts.dom0.
# limit: 1800
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=export-cuts
# shellcheck source=tests/xen/boots.sh
. "$here/boots.sh"

for stage in ended under-way tar; do
    boot 96 "$stage"
done
boot 0 look
