# shellcheck shell=bash
# lib.sh: helpers for a test that runs in the bed's dom0 (bash; sourced by the
# bed itself).  A whole test:
#
#   mkdisk a.qcow2 qcow2
#   guest g1 pvh a.qcow2
#   check "create" xl snapshot-create -q g1 s1
#   n=$(counter g1)
#   wait_ticks g1 5
#   mark g1
#   check "revert" xl snapshot-revert -q g1 s1
#   wait_ticks g1
#   check "counting went back" test "$(rewound_to g1)" -le $((n + 2))
#   check "memory and disk agree" disks_agree g1
#
# A guest prints a line per tick on its console, see guest.c.  The log of a
# console grows on over restore and re-creation: all helpers look only at what
# came after the guest's mark, which guest() sets and mark() moves to now.
#
# A failed assertion does not end the test; a failed preparation (bail) does.
# When the test exits, it prints what may explain a failure and exits 1 if
# there was one.

bed_tmp=$(mktemp -d)
bed_consoles=/var/log/xen/console

### results

# ok DESC | fail DESC | skip DESC: one line each, what the runner counts
ok()   { echo "ok - $*"; }
skip() { echo "skip - $*"; }
fail() { echo "not ok - $*"; touch "$bed_tmp/failed"; }

# bail DESC: the test makes no sense without this: fail and end it
bail() { fail "$@"; exit 1; }

# note TEXT...: a diagnostic, indented, so that no result can be read into it
note() { echo "$*" | sed 's/^/    /'; }

# A program that dies of a signal is a bug in it, or a glitch of the emulation
# (seen a few times an hour): say which it looks like, never hide it.
bed_note_death() {
    [ "$1" -gt 128 ] && [ "$1" -lt 160 ] || return 0
    note "bed: died of signal $(($1 - 128)), a crash or a glitch of the" \
         "emulation: ${*:2}"
}

# check DESC COMMAND...: the command succeeds
check() {
    local desc=$1 status; shift
    "$@" >"$bed_tmp/out" 2>&1 </dev/null
    status=$?
    [ $status != 0 ] || { ok "$desc"; return 0; }
    fail "$desc"
    note "status $status: $*"
    bed_note_death $status "$@"
    note "$(tail -n 30 "$bed_tmp/out")"
    return 1
}

# check_fails DESC STATUS COMMAND...: the command fails as it should: with
# exactly this status, one line on standard error, none on standard output
check_fails() {
    local desc=$1 want=$2 status; shift 2
    "$@" >"$bed_tmp/out" 2>"$bed_tmp/err" </dev/null
    status=$?
    [ $status != "$want" ] || [ -s "$bed_tmp/out" ] ||
        [ "$(wc -l <"$bed_tmp/err")" != 1 ] || { ok "$desc"; return 0; }
    fail "$desc"
    note "status $status instead of $want: $*"
    bed_note_death $status "$@"
    note "stdout: $(tail -n 30 "$bed_tmp/out")"
    note "stderr: $(tail -n 30 "$bed_tmp/err")"
    return 1
}

# wait_until SECONDS COMMAND...: false if the command never succeeds
wait_until() {
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

### disks

# mkdisk FILE FORMAT [MB]: an image (qcow2, raw, ...) with an empty ext4, 64 MB
# by default.  FILE may be a block device: it is formatted as it is.
mkdisk() {
    local file=$1 format=$2 mb=${3:-64} made
    if [ -b "$file" ]; then
        mkfs.ext4 -q -F -b 4096 -m 0 "$file" || bail "mkfs.ext4 $file"
        return
    fi
    # mkfs is slow in an emulator: each kind is made once and copied
    made=/data/.disks/$mb.$format
    if [ ! -e "$made" ]; then
        mkdir -p /data/.disks
        truncate -s "${mb}M" "$made.raw" &&
            mkfs.ext4 -q -F -b 4096 -m 0 "$made.raw" &&
            qemu-img convert -f raw -O "$format" "$made.raw" "$made.new" &&
            rm "$made.raw" && mv "$made.new" "$made" || bail "mkdisk $*"
    fi
    cp --sparse=always "$made" "$file" || bail "mkdisk $*"
}

# mkvg NAME [MB]: a volume group on a file of its own, 1024 MB by default
mkvg() {
    local file=/data/$1.pv loop
    truncate -s "${2:-1024}M" "$file" && loop=$(losetup -f --show "$file") &&
        vgcreate -q "$1" "$loop" >/dev/null || bail "mkvg $*"
}

# disk_format FILE: qcow2, or else raw
disk_format() {
    if [ "$(head -c 4 "$1" | od -An -tx1)" = " 51 46 49 fb" ]; then
        echo qcow2
    else
        echo raw
    fi
}

# image_clean FILE: qemu-img finds no error and no leak
image_clean() { qemu-img check -U -q "$1"; }

# no_snapshots_in FILE: no internal ones
no_snapshots_in() {
    local list
    list=$(qemu-img snapshot -U -l "$1") || return 1
    [ -z "$list" ] || { echo "$list"; return 1; }
}

### guests

# guest NAME pv|pvh|hvm DISK...: start a guest and wait for its first tick.
# DISK is a file or block device (they become xvda, xvdb, ...), or a whole
# disk specification in xl's syntax (anything with a comma).
# GUEST_MEM: MiB, default 128.  GUEST_CFG: more lines for its configuration.
# GUEST_KERNEL: more words for its kernel's command line, such as tick=50.
guest() {
    mkcfg "$@"
    mark "$1"
    guest_start "$1"
}

# mkcfg NAME pv|pvh|hvm DISK...: only write NAME.cfg
mkcfg() {
    local name=$1 type=$2 kernel=/kit/vmlinux disk disks='' letters=abcdefghijklmnop
    shift 2
    # QEMU, which loads an HVM guest's kernel, wants the file as distributed
    [ "$type" != hvm ] || kernel=/kit/vmlinuz
    for disk; do
        case $disk in
        *,*) ;;
        *)   disk="format=$(disk_format "$disk"), vdev=xvd${letters:0:1},\
access=rw, target=$(realpath -s "$disk")" ;;
        esac
        letters=${letters:1}
        disks+="    '$disk',"$'\n'
    done
    cat >"$name.cfg" <<CFG
name = "$name"
type = "$type"
kernel = "$kernel"
ramdisk = "/kit/guest.img"
cmdline = "console=hvc0 quiet mitigations=off ${GUEST_KERNEL:-}"
memory = ${GUEST_MEM:-128}
vcpus = 1
on_poweroff = "destroy"
on_reboot = "restart"
on_crash = "destroy"
vnc = 0
vga = "none"
disk = [
$disks]
${GUEST_CFG:-}
CFG
}

# guest_start NAME: xl create of NAME.cfg; waits for the first tick
guest_start() {
    local status
    xl create "$PWD/$1.cfg" >"$bed_tmp/out" 2>&1 </dev/null
    status=$?
    if [ $status != 0 ]; then
        bed_note_death $status xl create
        note "$(cat "$bed_tmp/out")"
        bail "guest $1: xl create failed with status $status"
    fi
    wait_ticks "$1" 1 || bail "guest $1: no tick"
}

# mark NAME: forget what the guest printed until now
mark() { bed_log_size "$1" >"$bed_tmp/mark.$1"; }

bed_log_size() {
    stat -c %s "$bed_consoles/guest-$1.log" 2>/dev/null || echo 0
}

# ticks NAME [BYTE]: all whole TICK lines since the mark (or that byte)
ticks() {
    local from=${2:-$(cat "$bed_tmp/mark.$1" 2>/dev/null || echo 0)}
    # A guest that was destroyed can leave half a line before another's
    tail -c "+$((from + 1))" "$bed_consoles/guest-$1.log" 2>/dev/null |
        tr -d '\r' | sed -nE 's/.*(TICK boot=)/\1/
            /^TICK boot=[0-9]+ n=[0-9]+( xvd[a-p]=(-|[0-9]+))* (ok|TORN)$/p'
}

# counter NAME: the number of the last tick; boot_id NAME: who counts
counter() { ticks "$1" | sed -n '$s/.* n=\([0-9]*\) .*/\1/p'; }
boot_id() { ticks "$1" | sed -n '$s/.* boot=\([0-9]*\) .*/\1/p'; }

# other_boot NAME ID: the last tick is of another boot than that
other_boot() {
    local id
    id=$(boot_id "$1")
    [ -n "$id" ] && [ "$id" != "$2" ]
}

# rewound_to NAME: the number of the first tick after the last time that
# counting jumped, back or ahead; if it never did since the mark: of the first
rewound_to() {
    ticks "$1" | sed 's/.* n=\([0-9]*\) .*/\1/' |
        awk 'NR == 1 || $1 != last + 1 { first = $1 } { last = $1 }
             END { print first }'
}

# wait_ticks NAME [K]: until K more ticks (default 2) are seen; 300 s at most
wait_ticks() {
    local from
    from=$(bed_log_size "$1")
    wait_until "${TICK_LIMIT:-300}" bed_ticked "$1" "$from" "${2:-2}"
}
bed_ticked() { [ "$(ticks "$1" "$2" | wc -l)" -ge "$3" ]; }

# disks_agree NAME: there was a tick since the mark, and in each of them all
# disks held what memory said
disks_agree() {
    local lines
    lines=$(ticks "$1")
    [ -n "$lines" ] || { echo "no tick since the mark"; return 1; }
    ! grep 'TORN$' <<<"$lines"
}

# still NAME [SECONDS]: the guest does not tick for that long (default 3)
still() {
    local from
    from=$(bed_log_size "$1")
    sleep "${2:-3}"
    ! bed_ticked "$1" "$from" 1
}

# domain_state NAME: the letters of xl list, such as r----- or --p---
domain_state() { xl list "$1" 2>/dev/null | awk 'NR == 2 { print $(NF-1) }'; }

# guest_gone NAME: no such domain
guest_gone() { ! xl domid "$1" >/dev/null 2>&1; }

### the whole machine

# power_cut: pulls the plug (bed --cut).  Does not return; works from a
# background process too.  What was not synced to /data is lost.
power_cut() {
    printf '\nBED-CUT\n' >/dev/hvc0
    while :; do sleep 1000; done
}

# destroy_all: back to a dom0 as it was at first: no guests, volumes, loop
# devices or snapshots
destroy_all() {
    local item
    xl list | awk 'NR > 1 && $2 > 0 { print $2 }' |
    while read -r item; do
        xl destroy "$item" </dev/null
    done
    vgs --noheadings -o name 2>/dev/null | while read -r item; do
        vgchange -q -an "$item" </dev/null >/dev/null 2>&1
        vgremove -q -ff -y "$item" </dev/null >/dev/null 2>&1
    done
    losetup -D
    find /var/lib/xen/snapshots -mindepth 1 -delete
}

### at the end

bed_explain() {
    local file
    xl list
    for file in "$bed_consoles"/guest-*.log; do
        [ -e "$file" ] || continue
        echo "--- console of $(basename "$file" .log)"
        tail -n 12 "$file" | tr -d '\r'
    done
    for file in /var/log/xen/xl-*.log /var/log/xen/qemu-dm-*.log; do
        [ -s "$file" ] || continue
        echo "--- $file"
        tail -n 12 "$file"
    done
    echo "--- snapshots"
    find /var/lib/xen/snapshots -mindepth 1 -printf '%P %s\n'
    echo "--- loop devices"
    losetup -l -n -O NAME,BACK-FILE
}

# Programs that crashed since the test began, as the kernel saw them.
bed_crashes() {
    dmesg | awk -v since="$bed_began" '
        /segfault|general protection|traps: |trap invalid/ {
            t = $0; sub(/^\[ */, "", t); if (t + 0 >= since) print }'
}

bed_exit() {
    local status=$? crashes
    crashes=$(bed_crashes)
    [ -z "$crashes" ] ||
        note "bed: a program crashed in dom0: its bug, or a glitch of the" \
             "emulation:" $'\n'"$crashes"
    if [ $status != 0 ] || [ -e "$bed_tmp/failed" ]; then
        note "$(bed_explain 2>&1)"
        [ $status != 0 ] || status=1
    fi
    rm -rf "$bed_tmp"
    exit $status
}
read -r bed_began _ </proc/uptime
trap bed_exit EXIT
trap 'exit 143' TERM
