# The test build: the whole program on a fake host (tests/fake/host.h), with
# fault points and calls that can be made to fail (tests/fake/spec.h).

FAKE = $(BUILD)/fake
FAKE_CFLAGS = $(ALL_CFLAGS) -DSNAPSHOT_FAULTS -include tests/fake/build.h
FAKE_OBJ = $(patsubst %.c,$(FAKE)/obj/%.o,$(1))

# Calls that fault.c stands in for.
FAKE_WRAP = write read fsync openat64 open64 renameat unlinkat mkdirat \
	fchmod ftruncate64 fstatat64 readlink qmp_run qmp_open \
	link symlink rename unlink truncate64 chown chmod ioctl stat64 \
	lstat64 name_unique syslog
FAKE_WRAP_FLAGS = $(addprefix -Wl$(comma)--wrap=,$(FAKE_WRAP))

FAKE_HOST = tests/fake/host.c tests/fake/guest.c tests/fake/spec.c \
	tests/fake/build.c \
	$(addprefix snapshot/sys/,mem.c json.c err.c text.c)
FAKE_FAULTS = tests/fake/fault.c tests/fake/point.c
FAKE_PROGRAM = $(filter-out $(FAKE_HOST),$(ENGINE_SRCS)) snapshot/cfg.c \
	front/main.c front/cmdtable.c $(SNAPSHOT_CLI) \
	tests/fake/domain.c tests/fake/ctx.c tests/fake/log.c $(FAKE_FAULTS)

.PHONY: fake
fake: $(FAKE)/xl-snapshot $(FAKE)/bin/xl $(FAKE)/bin/qemu-img \
	$(FAKE)/fake-xen

$(FAKE)/xl-snapshot: $(call FAKE_OBJ,$(FAKE_PROGRAM) $(FAKE_HOST))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(FAKE_WRAP_FLAGS) $(XEN_LIBS) $(LIBS)

$(FAKE)/bin/xl: $(call FAKE_OBJ,tests/fake/xl.c tests/fake/hotplug.c \
	snapshot/qemu/qmp.c snapshot/qemu/qmp_frame.c $(FAKE_HOST))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(FAKE)/bin/qemu-img: $(call FAKE_OBJ,tests/fake/qemu-img.c $(FAKE_HOST))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(FAKE)/fake-xen: $(FAKE)/bin/xl
	$(Q)ln -sf bin/xl $@

$(FAKE)/obj/%.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(FAKE_CFLAGS) -MMD -MP -c -o $@ $<
