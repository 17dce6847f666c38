# The tests.  Each program prints "ok - ", "not ok - " and "skip - " lines;
# tests/run counts them and ends with "N passed, N failed, N skipped".

include tests/unit/unit.mk
include tests/fuzz/fuzz.mk

# On a real Xen, in one boot.
XEN_TESTS = $(addprefix tests/xen/,bed.test refusals.test lifecycle.test \
	core-pv.test core-pvh.test core-hvm.test)

.PHONY: check-quick check check-full
check-quick:
	@tests/need quick
	@$(MAKE) --no-print-directory all unit-tests
	@tests/run $(UNIT_TESTS)

check:
	@tests/need quick xen
	@$(MAKE) --no-print-directory all unit-tests
	@tests/run $(UNIT_TESTS) $(XEN_TESTS)

check-full: check
