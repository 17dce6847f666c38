# shellcheck shell=bash disable=SC2154
# boots.sh: one boot after another on the same disk, with the power cut between
# them.  The caller has set $here, and $name: $name.dom0 is the part of each
# boot.

if ! "$here/../need" xen; then
    echo "skip - $name: packages are missing"
    exit 0
fi

# dom0's disk; and a folder for what it must know but not learn from that disk
mkdir -p "${XEN_BED_CACHE:=$here/.cache}"
data=$XEN_BED_CACHE/$name.$$.raw
share=$(mktemp -d)
trap 'rm -rf "$share" "$data" "$data.lock"' EXIT
trap 'exit 143' INT TERM HUP

# boot WANT [ARG...]: with WANT as the bed's exit status
boot() {
    local want=$1 status tries=2; shift
    rm -f "$share/began" "$share/seen"
    # as suite does: once more if dom0 did not come up at all
    while [ $tries -gt 0 ] && [ ! -e "$share/began" ]; do
        status=0
        XEN_BED_DATA=2G "$here/bed" --cut --keep --data "$data" --limit 400 \
            --share "$share" "$here/$name.dom0" "$@" 2>&1 || status=$?
        tries=$((tries - 1))
    done
    [ $status = "$want" ] && return
    echo "not ok - $name: the boot for '$*' ended with status $status"
    exit 1
}
