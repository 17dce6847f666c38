# Tests on a real Xen (tests/xen/README.md).

# In one boot; bed.test tests the bed itself, as bed.sh below does.
XEN_TESTS = $(addprefix tests/xen/,core-hvm.test core-pv.test kinds-pvh.test \
	layers.test crash.test refusals.test lvm-brief.test)
XEN_FULL_TESTS = $(XEN_TESTS) $(addprefix tests/xen/,core-pvh.test lvm.test \
	monitor.test devices.test lifecycle.test nightly.test faults.test \
	kinds-pv.test kinds-hvm.test sixteen.test readme.test ended.test reverts.test \
	trim.test view.test export.test import.test clone.test \
	bed.test)

# In boots of their own; XEN_CUTS: see cuts.sh.
XEN_PROGRAMS = tests/xen/cuts.sh
XEN_FULL_PROGRAMS = $(XEN_PROGRAMS) $(addprefix tests/xen/,bed.sh rbd.sh \
	meanwhile.sh export-cuts.sh import-cuts.sh)

# The real program, with the fault points of tests/fake/spec.h.
XEN_FAULTS = $(BUILD)/faults
XEN_FAULT_SRCS = $(shell grep -l '"txn/fault.h"' snapshot/*/*.c) \
	tests/fake/point.c tests/fake/spec.c
XEN_FAULT_OBJS = $(patsubst %.c,$(XEN_FAULTS)/obj/%.o,$(XEN_FAULT_SRCS))

.PHONY: xen-tests
xen-tests: $(XEN_FAULTS)/xl-snapshot

$(XEN_FAULTS)/xl-snapshot: $(XEN_FAULT_OBJS) $(call objs,$(filter-out \
		$(XEN_FAULT_SRCS),$(ENGINE_SRCS) $(XEN_SRCS) $(FRONT_SRCS)))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(XEN_LIBS) $(LIBS)

$(XEN_FAULTS)/obj/%.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -DSNAPSHOT_FAULTS -MMD -MP -c -o $@ $<
