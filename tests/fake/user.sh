# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154    # the scripts use its variables; lib.sh's
# user.sh: what a user does to a fake host behind the tool's back, and what he
# would notice (bash; sourced after lib.sh).
#
#   dir x                       $D is a directory of its own
#   image c; on g "xvda=$D/c.qcow2"; "$host" tick g 3
#   take g s1 -e                a snapshot, and what it must give back
#   kept "s1 is whole" g s1     a revert gives it back
#   untouched "a refusal" COMMAND...   done, or refused with nothing changed
#   killed 4 COMMAND...         dies at this point
#   free "not locked" g         the next snapshot can be taken

# Nobody closes an image later than that here.
export FAKE_TIMEOUT=10

# dir NAME
dir() { D=$work/$1; mkdir -p "$D"; }
# image NAME [QEMU-IMG'S OPTIONS]: $D/NAME.qcow2 with 2 MiB
image() { qemu-img create -q -f qcow2 "${@:2}" "$D/$1.qcow2" 2M; }
# suited KIND: the image that goes with -i, -e or -y, made in $D; its path is
# $img
suited() {
    if [ "$1" = -y ]; then
        img=$D/c$1.raw
        truncate -s 2M "$img"
    else
        img=$D/c$1.qcow2
        qemu-img create -q -f qcow2 "$img" 2M
    fi
}
# on DOMAIN VDEV=IMAGE...: the guest is started, and finds its number
on() { "$host" create "$@" && "$host" boot "$1"; }
# off DOMAIN: there or not
off() { "$host" destroy "$1" 2>/dev/null; :; }
tick() { "$host" tick "$@" >"$work/out" 2>"$work/err"; }
# count DOMAIN: the number of its memory
count() { "$host" list | awk -v d="$1" '$2 == d { print $5 }'; }
state() { "$host" list | awk -v d="$1" '$2 == d { print $4 }'; }
domid() { "$host" list | awk -v d="$1" '$2 == d { print $1 }'; }
runs() { [ "$(state "$1")" = running ]; }

# lives DESCRIPTION DOMAIN: it runs, and memory and disks are of one instant
lives() {
    local why=

    runs "$2" || why="it is '$(state "$2")'"
    [ -n "$why" ] || tick "$2" 1 || why=$(said)
    [ -z "$why" ]
    ok $? "$1" "$why"
}

# content IMAGE [INTERNAL SNAPSHOT]: a sum of the guest's bytes
content() {
    qemu-img convert -U -f qcow2 ${2:+-l "snapshot.name=$2"} -O raw "$1" \
        "$work/content" 2>/dev/null && sha1sum <"$work/content"
}

# see DOMAIN NAME: what the domain now is must come back with this snapshot
see() {
    mkdir -p "$work/seen"
    "$host" read "$1" >"$work/seen/$1.$2"
}

# take DOMAIN NAME [OPTION...]: a snapshot; the script cannot go on without
take() {
    see "$1" "$2"
    xl snapshot-create -q "${@:3}" "$1" "$2" >"$work/out" 2>"$work/err" &&
        return
    echo "not ok - $test_name: snapshot $2 of domain $1: $(said)"
    failed=1
    return 1
}

# gives_back DOMAIN NAME: prints what is wrong
gives_back() {
    local status

    xl snapshot-revert -q "$1" "$2" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    if [ $status != 0 ]; then
        echo "status $status: $(said)"
    elif [ "$("$host" read "$1" 2>&1)" != "$(cat "$work/seen/$1.$2")" ]; then
        echo "other bytes"
    fi
}

# kept DESCRIPTION DOMAIN NAME...: a revert to each gives back its bytes
kept() {
    local name why=

    for name in "${@:3}"; do
        why="$why$(gives_back "$2" "$name")"
    done
    [ -z "$why" ]
    ok $? "$1" "$why"
}

# All that a command could change, as text.
everything() {
    local domain dirs

    "$host" list
    for domain in $("$host" list | awk '{ print $2 }'); do
        "$host" read "$domain" 2>&1
    done
    mapfile -t dirs < <(find "$work" -mindepth 1 -maxdepth 1 \
        ! -path "$FAKE_XEN_DIR" ! -path "$work/seen" \
        ! -path "$work/out" ! -path "$work/err" ! -path "$work/content")
    find "${dirs[@]}" -printf '%p %y %i %s %l\n' | sort
    find "${dirs[@]}" -type f -size -16M -exec sha1sum {} + | sort
    find "$store" -mindepth 2 ! -name .lock -printf '%P %y %s\n' 2>/dev/null |
        sort
}

# untouched DESCRIPTION COMMAND...: it is done (then $done is 1), or refused,
# with one line and status 1 or 3, and nothing is changed
untouched() {
    local before status why=

    before=$(everything)
    "${@:2}" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    done=0
    case $status in
    0) done=1 ;;
    1 | 3) [ "$(everything)" = "$before" ] ||
        why="refused, but changed: $(diff <(echo "$before") \
            <(everything) | grep '^[<>]' | head -n 4 | tr '\n' ' '): $(said)" ;;
    *) why="status $status: $(said)" ;;
    esac
    [ -z "$why" ]
    ok $? "$1" "$why"
}

# refused DESCRIPTION WORDS COMMAND...: with status 1 and these words, and
# nothing is changed
refused() {
    local before

    before=$(everything)
    fails "$1" 1 "$2" "${@:3}"
    [ "$(everything)" = "$before" ]
    ok $? "$1: nothing is changed" "$(diff <(echo "$before") \
        <(everything) | grep '^[<>]' | head -n 4 | tr '\n' ' ')"
}

# killed POINT COMMAND...: true if it died there
killed() {
    local status

    {
        FAULT=txn:$1:kill "${@:2}" >"$work/out" 2>"$work/err" </dev/null
        status=$?
    } 2>/dev/null
    [ $status = 137 ]
}

# keys FAULT COMMAND...: in a process group of its own, as a shell starts it,
# with the signals as a shell has them; its process is $pid
keys() {
    set -m
    FAULT=$1 env --default-signal=INT,TSTP,TTIN,TTOU "${@:2}" \
        >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    set +m
}

# letter PID: the kernel's letter of its state, nothing if it is gone
letter() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" \
    2>/dev/null; }

# rest PID: until it is stopped or gone; prints its letter if it is stopped
rest() {
    local l

    while l=$(letter "$1"); [ -n "$l" ] && [ "$l" != Z ]; do
        [ "$l" = T ] && { echo T; return; }
        sleep 0.02
    done
}

# next_command DOMAIN: one that recovers, and does nothing else
next_command() {
    xl snapshot-delete "$1" nothing >"$work/out" 2>"$work/err" </dev/null
}

# way_out DOMAIN: whatever was left unfinished is given up, if the next
# command does not end it
way_out() {
    [ -e "$store/$1/.journal" ] || return 0
    next_command "$1"
    [ -e "$store/$1/.journal" ] || return 0
    xl snapshot-recover --give-up "$1" >"$work/out" 2>"$work/err"
}

# free DESCRIPTION DOMAIN: the next snapshot can be taken, whatever was before
free() {
    way_out "$2"
    xl snapshot-create -q "$2" "free$RANDOM" >"$work/out" 2>"$work/err" \
        </dev/null
    ok $? "$1" "$(said)"
}

# strays DOMAIN: what an operation should have taken away
strays() {
    find "$store/$1" -maxdepth 1 \( -name .journal -o -name '.new-*' -o \
        -name '.del-*' \) -printf '%f ' 2>/dev/null
}
