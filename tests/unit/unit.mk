# Unit tests: one program per module, named after it; no Xen needed.

comma := ,

# Those that need Xen's libxlutil to link, but no Xen to run.
UNIT_XEN = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/cfg.c))
UNIT_HELPERS = unit nodomain fixture loop
# These share badstore.c.
UNIT_BAD = badinput badfiles badjournal
UNIT_NAMES = $(filter-out $(UNIT_HELPERS) badstore,$(patsubst tests/unit/%.c,%,\
	$(wildcard tests/unit/*.c)))
UNIT_TESTS = $(addprefix $(BUILD)/tests/unit/,$(UNIT_NAMES))
UNIT_COMMON = $(call objs,$(addprefix tests/unit/,$(UNIT_HELPERS:=.c)))

# An archive, so that a test's own functions take the place of a module's.
UNIT_ENGINE = $(BUILD)/tests/engine.a
UNIT_LIBS = $(LIBS) $(if $(filter $(UNIT_XEN),$(@F)),\
	$(shell pkg-config --libs xlutil))

$(UNIT_ENGINE): $(ENGINE_OBJS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) qcs $@ $^

# What waits for long in an operation waits for a second in its test.
$(BUILD)/tests/unit/short/%.o: snapshot/%.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -DQMP_TIMEOUT_S=1 -DMONITOR_LOCK_MS=1000 \
		-MMD -MP -c -o $@ $<

# In place of /sys a folder of the test's.
$(BUILD)/tests/unit/sys/%.o: snapshot/%.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -include tests/unit/volume_sys.h -MMD -MP -c \
		-o $@ $<

# In place of /sys and of the mount table those of the test's.
$(BUILD)/tests/unit/host/%.o: snapshot/%.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -include tests/unit/identity_host.h -MMD -MP \
		-c -o $@ $<

$(BUILD)/tests/unit/qmp: $(BUILD)/tests/unit/short/qemu/qmp.o
$(BUILD)/tests/unit/monitor: $(BUILD)/tests/unit/short/xen/monitor.o
$(BUILD)/tests/unit/chain: LDFLAGS += -Wl$(comma)--wrap=domain_qmp_path
$(BUILD)/tests/unit/monitor: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,\
	readlink domain_xen_version)
$(BUILD)/tests/unit/volume: $(BUILD)/tests/unit/sys/disk/volume.o
$(BUILD)/tests/unit/identity: $(addprefix $(BUILD)/tests/unit/host/image/,\
	device.o mounts.o)
$(BUILD)/tests/unit/rbd $(BUILD)/tests/unit/rbd_image: \
	$(BUILD)/tests/unit/sys/disk/rbd_image.o $(BUILD)/tests/unit/sys/disk/rbd.o
$(BUILD)/tests/unit/cfg: $(BUILD)/snapshot/cfg.o
$(addprefix $(BUILD)/tests/unit/,$(UNIT_BAD)): $(BUILD)/tests/unit/badstore.o
# The clock, and what kind of file system it is, are the test's.
$(BUILD)/tests/unit/seal: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,\
	clock_gettime fstatfs64)
# What needs devices of LVM's, the test does itself.
$(BUILD)/tests/unit/lvm: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,\
	volume_of_path volume_is_named_by cow_put_back)

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_COMMON) \
		$(UNIT_ENGINE)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.a,$^) \
		$(UNIT_ENGINE) $(UNIT_LIBS)

.SECONDARY: $(UNIT_TESTS:=.o)

.PHONY: unit-tests asan-tests check-unit check-asan check-valgrind
unit-tests: $(UNIT_TESTS)

check-unit: unit-tests
	@tests/run $(UNIT_TESTS)

# All unit tests again, with what finds wrong memory accesses and undefined
# behaviour; a build directory of its own.
ASAN_TESTS = $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/asan/%)

asan-tests:
	@$(MAKE) --no-print-directory unit-tests BUILD=$(BUILD)/asan \
		CFLAGS="-O1 -g -fsanitize=address,undefined \
		-fno-sanitize-recover=all"

check-asan: asan-tests
	@tests/run $(ASAN_TESTS)

UNIT_VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full \
	--child-silent-after-fork=yes
VALGRIND_TESTS = $(addprefix $(BUILD)/tests/valgrind/,$(UNIT_NAMES))

$(VALGRIND_TESTS): $(BUILD)/tests/valgrind/%: $(BUILD)/tests/unit/%
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec $(UNIT_VALGRIND) %s\n' $(abspath $<) >$@
	@chmod +x $@

check-valgrind: $(VALGRIND_TESTS)
	@if command -v valgrind >/dev/null; then tests/run $^; \
	 else echo 'skip - valgrind is not installed'; fi
