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

if ! "$here/../need" xen; then
    echo "skip - cuts: packages are missing"
    exit 0
fi

# dom0's disk; and a folder for what it must know but not learn from that disk
mkdir -p "${XEN_BED_CACHE:=$here/.cache}"
data=$XEN_BED_CACHE/cuts.$$.raw
share=$(mktemp -d)
trap 'rm -rf "$share" "$data" "$data.lock"' EXIT
trap 'exit 143' INT TERM HUP

# boot WANT AGAIN OP POINT: with WANT as the bed's exit status
boot() {
    local want=$1 status tries=2; shift
    rm -f "$share/began" "$share/seen"
    # as suite does: once more if dom0 did not come up at all
    while [ $tries -gt 0 ] && [ ! -e "$share/began" ]; do
        status=0
        XEN_BED_DATA=2G "$here/bed" --cut --keep --data "$data" --limit 400 \
            --share "$share" "$here/cuts.dom0" "$@" 2>&1 || status=$?
        tries=$((tries - 1))
    done
    [ $status = "$want" ] && return
    echo "not ok - cuts: the boot for '$*' ended with status $status"
    exit 1
}

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
