# shellcheck shell=bash
# shellcheck disable=SC2034    # the scripts use its variables
# lib.sh: for a test script on the fake host (bash; sourced).  The script is
# the part of the name that its results begin with.
#
#   new_domain g1                   a running domain with one qcow2 disk
#   check "create" xl snapshot-create -q g1 s1
#   fails "again" 1 "already has" xl snapshot-create g1 s1
#   exit $failed

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 2
# What the test runs, used by the scripts themselves too.
fake=$(cd "${BUILD:-build}/fake" && pwd) || exit 2
host=$fake/fake-xen
tool=$fake/xl-snapshot
work=$(mktemp -d -p "${WORK_IN:-$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)}")
export FAKE_XEN_DIR=$work/host
mkdir "$FAKE_XEN_DIR"
store=$FAKE_XEN_DIR/store
failed=0
test_name=$(basename "$0")

# shellcheck disable=SC2317    # the trap calls it
finish() {
    local domain

    for domain in $("$host" list | awk '{ print $2 }'); do
        "$host" destroy "$domain"
    done 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

ok() { # ok CONDITION-STATUS DESCRIPTION [WHY]
    if [ "$1" = 0 ]; then
        echo "ok - $test_name: $2"
    else
        echo "not ok - $test_name: $2${3:+: $3}"
        failed=1
    fi
}

# The output of the last command, of its two sides
said() { tr '\n' ' ' <"$work/out"; tr '\n' ' ' <"$work/err"; }

# check DESCRIPTION COMMAND...: succeeds
check() {
    "${@:2}" >"$work/out" 2>"$work/err" </dev/null
    ok $? "$1" "$(said)"
}

# says DESCRIPTION REGEX: a whole line of what the last command said
says() {
    cat "$work/out" "$work/err" | grep -Eqx -e "$2"
    ok $? "$1" "$(said)"
}

# fails DESCRIPTION STATUS WORDS COMMAND...: exactly this status, one line on
# stderr with these words (a regular expression), nothing on stdout
fails() {
    local status

    "${@:4}" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status = "$2" ] && [ ! -s "$work/out" ] &&
        [ "$(wc -l <"$work/err")" = 1 ] && grep -qe "$3" "$work/err"
    ok $? "$1" "status $status: $(said)"
}

# is DESCRIPTION WANT GOT
is() {
    [ "$2" = "$3" ]
    ok $? "$1" "'$3', not '$2'"
}

xl() { "$tool" "$@"; }

# new_domain NAME: one called *.raw has a raw image, *.stub a stub domain
new_domain() {
    case $1 in
    *.raw) truncate -s 2M "$work/$1" && "$host" create "$1" "xvda=$work/$1" ;;
    *)     qemu-img create -q -f qcow2 "$work/$1.qcow2" 2M &&
               "$host" create "$1" "xvda=$work/$1.qcow2" ;;
    esac || exit 2
}

# real_xl FILE: an xl beside xl-snapshot, with the list in the real format
real_xl() {
    cat >"$1" <<XL
#!/bin/sh
export FAKE_XEN_DIR=$FAKE_XEN_DIR
case \$1 in
list) echo "Name       ID   Mem VCPUs	State	Time(s)"
      echo "Domain-0   0  1536     2     r-----     100.0"
      $host list | awk '{ printf "%-40s %5d   128     1     --%s---     1.0\\n",
          \$2, \$1, \$4 == "paused" ? "p" : "-" }' ;;
help) echo "Usage xl [-vf] <subcommand> [args]"
      echo
      echo "xl full list of subcommands:"
      echo
      echo " create              Create a domain from config file <filename>"
      echo " list                List information about all/some domains" ;;
esac
XL
    chmod +x "$1"
}

# front DIR: the front as it is installed, and what it needs, below DIR
front() {
    mkdir -p "$1/sbin" "$1/libexec/xl-snapshot" "$1/real"
    cp front/xl "$1/sbin/xl"
    printf '#!/bin/sh\nexport FAKE_XEN_DIR=%s\nexec %s "$@"\n' \
        "$FAKE_XEN_DIR" "$tool" >"$1/libexec/xl-snapshot/xl-snapshot"
    chmod +x "$1/libexec/xl-snapshot/xl-snapshot"
    real_xl "$1/real/xl"
}

names() { "$tool" snapshot-list -n "$1" | sort | tr '\n' ' '; }
