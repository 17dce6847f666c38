# The kind "rbd" on a real Ceph cluster, without Xen.

CEPH_TESTS = tests/ceph/brief
CEPH_FULL_TESTS = tests/ceph/brief tests/ceph/full

# In place of /sys a folder of the test's.
$(BUILD)/tests/ceph/sys/%.o: snapshot/%.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -include tests/ceph/sys.h -MMD -MP -c -o $@ $<

$(BUILD)/tests/ceph/op: $(BUILD)/tests/ceph/op.o \
		$(BUILD)/tests/ceph/sys/disk/rbd_image.o \
		$(BUILD)/tests/unit/nodomain.o $(UNIT_ENGINE)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.a,$^) \
		$(UNIT_ENGINE) $(LIBS)

.PHONY: ceph-tests check-ceph
ceph-tests: $(BUILD)/tests/ceph/op

check-ceph: ceph-tests
	@tests/run $(CEPH_FULL_TESTS)
