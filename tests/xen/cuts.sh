#!/bin/bash
# Power cuts: the machine goes down at a point of create, revert or delete,
# boots again on the same disk, and shows that nothing was lost.  Each boot
# looks at what the cut before it left, and does the next: see cuts.dom0.
#
# XEN_CUTS=N: at one of N points, before and after each step, and all through
# one recovery of each operation.  Default: two cuts of each operation, and
# one of a recovery.
# limit: 7200
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# boot WANT AGAIN OP POINT
name=cuts
# shellcheck source=tests/xen/boots.sh
. "$here/boots.sh"

declare -A made
again=0 recoveries=0

if [ -n "${XEN_CUTS:-}" ]; then
    first=1
    recovered='^(create before publish|revert before set-current|delete after hide)$'
    boot 0 0 points ''
    mapfile -t cuts < <(awk -v part="$XEN_CUTS" -v recovered="$recovered" '
        $1 " " $3 " " $4 ~ recovered || NR % part == 0 { print $1, $2 }' \
        "$share/points")
else
    first=4
    recovered='^create after capture$'
    cuts=("create after capture" "create after publish"
          "revert after destroy" "revert after restore"
          "delete after hide" "delete after purge")
fi

# next WANT OP POINT: one more cut.  What the last one left is looked at
# first; with $again, recovering from it is cut as well, which takes one more
# boot.
next() {
    local what
    boot "$1" $again "$2" "$3"
    while [ ! -e "$share/seen" ]; do
        recoveries=$((recoveries + 1))
        echo "    cut in its recovery: $(tail -n 1 "$share/log")"
        [ -n "${XEN_CUTS:-}" ] && again=$((again + 1)) || again=0
        boot "$1" $again "$2" "$3"
    done
    made[$2]=$((${made[$2]:-0} + 1))
    what=$(cut -d ' ' -f 1,3- "$share/what")
    [[ $what =~ $recovered ]] && again=$first || again=0
}

for cut in "${cuts[@]}"; do
    next 96 "${cut%% *}" "${cut#* }"
done
next 0 end ''

for op in create revert delete; do
    echo "note - cuts: ${made[$op]} of $(grep -c "^$op " "$share/points")" \
        "points of $op"
done
echo "note - cuts: $recoveries in recoveries"
