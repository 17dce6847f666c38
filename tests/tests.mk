# The tests.  Each program prints "ok - ", "not ok - " and "skip - " lines;
# tests/run counts them and ends with "N passed, N failed, N skipped".

include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/fake/fake.mk
include tests/sweep/sweep.mk
include tests/cli/cli.mk
include tests/ceph/ceph.mk
include tests/xen/xen.mk
include tests/bench/bench.mk

SWEEP_PART ?= 130

# The releases of Xen, the Debian package: each boots what it needs.
RELEASE_TESTS = $(addprefix tests/releases/,bullseye bookworm trixie) \
	tests/package/package.sh

# Those that need no Xen.
LOCAL_TESTS = tests/direction tests/words $(UNIT_TESTS) $(ASAN_TESTS) tests/fuzz/all $(CLI_TESTS)

export SWEEP_PART

.PHONY: check-quick check check-full build-tests fuzz-if-usable
check-quick:
	@tests/need quick
	@$(MAKE) --no-print-directory all unit-tests fake
	@tests/run tests/direction tests/words $(UNIT_TESTS) $(CLI_TESTS)

# check's walk is the same on every machine; check-full takes a new seed.
check: export WALK_SEED ?= 11
check: build-tests
	@tests/run $(LOCAL_TESTS) $(CEPH_TESTS) $(SWEEP_TESTS) $(XEN_TESTS) \
		$(XEN_PROGRAMS)

check-full: export XEN_CUTS = 1
check-full: export WALK_STEPS = 10000
check-full: build-tests
	@tests/run $(LOCAL_TESTS) $(CLI_FULL_TESTS) $(CEPH_FULL_TESTS) \
		$(SWEEP_FULL_TESTS) $(XEN_FULL_TESTS) \
		$(XEN_FULL_PROGRAMS)
	@tests/run $(RELEASE_TESTS)

build-tests:
	@tests/need quick xen
	@$(MAKE) --no-print-directory -j2 all unit-tests sweep-tests \
		ceph-tests xen-tests
	@$(MAKE) --no-print-directory -j2 asan-tests fuzz-if-usable

# Without clang's libFuzzer tests/fuzz/all counts as skipped.
fuzz-if-usable:
	@if tests/fuzz/run --usable $(FUZZ_CC) >/dev/null; then \
		$(MAKE) --no-print-directory fuzz-tests; fi
