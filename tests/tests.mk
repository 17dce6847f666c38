# The tests.  Each program prints "ok - ", "not ok - " and "skip - " lines;
# tests/run counts them and ends with "N passed, N failed, N skipped".

include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/fake/fake.mk
include tests/sweep/sweep.mk

# The unit tests again, with AddressSanitizer and UBSan.
ASAN_TESTS = $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/asan/%)
SWEEP_PART ?= 40

# On a real Xen, in one boot; bed.* test the bed itself.
XEN_TESTS = $(addprefix tests/xen/,core-pvh.test core-hvm.test core-pv.test \
	crash.test refusals.test lifecycle.test)
XEN_FULL_TESTS = $(XEN_TESTS) tests/xen/bed.test

export BUILD SWEEP_PART

.PHONY: check-quick check check-full asan-tests fuzz-if-usable
check-quick:
	@tests/need quick
	@$(MAKE) --no-print-directory all unit-tests
	@tests/run $(UNIT_TESTS)

check:
	@tests/need quick xen
	@$(MAKE) --no-print-directory -j2 all unit-tests fake $(SWEEP)/sweep
	@$(MAKE) --no-print-directory -j2 asan-tests fuzz-if-usable
	@tests/run $(UNIT_TESTS) $(ASAN_TESTS) tests/fuzz/all \
		tests/sweep/some tests/sweep/concurrency $(XEN_TESTS)

check-full:
	@tests/need quick xen
	@$(MAKE) --no-print-directory -j2 all unit-tests fake $(SWEEP)/sweep
	@$(MAKE) --no-print-directory -j2 asan-tests fuzz-if-usable
	@tests/run $(UNIT_TESTS) $(ASAN_TESTS) tests/fuzz/all \
		tests/sweep/all tests/sweep/concurrency tests/xen/bed.sh \
		$(XEN_FULL_TESTS)

asan-tests:
	@$(MAKE) --no-print-directory unit-tests BUILD=$(BUILD)/asan \
		CFLAGS="-O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=all"

# Without clang's libFuzzer tests/fuzz/all counts as skipped.
fuzz-if-usable:
	@if tests/fuzz/run --usable $(FUZZ_CC) >/dev/null; then \
		$(MAKE) --no-print-directory fuzz-tests; fi
