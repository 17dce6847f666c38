#!/bin/bash
# What the bed promises to those who run it: exit statuses, limits, power cut.
# limit: 900
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! "$here/../need" xen 2>/dev/null; then
    echo "skip - bed: packages are missing"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
script=$work/script output=$work/output

# expect DESC STATUS PATTERN BED-ARGUMENT...: runs the bed; the script is on
# standard input, the output has to match the pattern
expect() {
    local desc=$1 want=$2 pattern=$3 status=0; shift 3
    cat >"$script"
    "$here/bed" "$@" >"$output" 2>&1 || status=$?
    if [ $status = "$want" ] && grep -qE "$pattern" "$output"; then
        echo "ok - bed: $desc"
    else
        echo "not ok - bed: $desc"
        echo "    status $status, expected $want and '$pattern'"
        sed 's/^/    /' "$output"
    fi
}

expect "passes arguments, variables and the script's status" 7 '^a b:c d$' \
    --env 'VALUE=c d' "$script" 'a b' <<'END'
echo "$1:$VALUE"
exit 7
END

expect "cuts the power" 96 '^last words$' --cut "$script" <<'END'
echo kept >/data/kept
sync
echo lost >/data/lost
echo "last words"
power_cut
END

expect "keeps the disk of the boot before, but for what was not synced" 0 \
    '^kept -$' --keep "$script" <<'END'
echo "$(cat /data/kept) $(cat /data/lost 2>/dev/null || echo -)"
END

expect "reaches a time limit" 98 'time limit of 30 s reached' \
    --limit 30 "$script" <<'END'
sleep 1000
END

expect "fails with a failed assertion" 1 '^not ok - this' "$script" <<'END'
check "this" false
END

expect "notices that dom0 crashed" 97 'ended before the script' \
    "$script" <<'END'
echo c >/proc/sysrq-trigger
sleep 1000
END

# not a kernel at all
head -c 1000000 /dev/zero >"$work/kernel"
XEN_BED_KERNEL=$work/kernel expect "notices that dom0 does not boot" 97 \
    'dom0 did not boot' "$script" <<'END'
echo unreachable
END
