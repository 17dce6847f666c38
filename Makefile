# xl snapshots.  "make help" lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
SBINDIR = $(PREFIX)/sbin
LIBEXECDIR = $(PREFIX)/libexec/xl-snapshot
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/xl-snapshot
BASHCOMPDIR = $(PREFIX)/share/bash-completion/completions

BUILD ?= build
V ?= 0
Q = $(if $(filter 0,$(V)),@)
say = $(if $(filter 0,$(V)),@echo '  $(1)  $(2)')
CC = gcc
CFLAGS ?= -O2 -g
XEN_PKGS = xenlight xlutil xentoollog

include snapshot/snapshot.mk

# C as in Xen's tree (Config.mk), and what its own headers do not pass.
DIALECT = -std=gnu99 -D_FILE_OFFSET_BITS=64 -DLIBXL_API_VERSION=0x041400
WARNINGS = -Wall -Wextra -Werror -Wdeclaration-after-statement \
	-Wstrict-prototypes -Wmissing-declarations -Wshadow -Wformat-nonliteral
ALL_CFLAGS = $(DIALECT) $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -I. -Ifront \
	$(SNAPSHOT_CFLAGS)
LIBS = $(SNAPSHOT_LIBS)
XEN_LIBS = $(shell pkg-config --libs $(XEN_PKGS) 2>/dev/null)

# What needs Xen to link; the tests put their own in its place.
XEN_SRCS = snapshot/xen/domain.c snapshot/cfg.c front/ctx.c
FRONT_SRCS = front/main.c front/cmdtable.c $(SNAPSHOT_CLI)
ENGINE_SRCS = $(filter-out $(XEN_SRCS) $(FRONT_SRCS),$(SNAPSHOT_SRCS))

objs = $(patsubst %.c,$(BUILD)/%.o,$(1))
ENGINE_OBJS = $(call objs,$(ENGINE_SRCS))

.PHONY: all
all: $(BUILD)/xl-snapshot $(BUILD)/xl-snapshot.1

.PHONY: help
help:
	@echo 'make                 build beside the installed xl'
	@echo 'make install         PREFIX=/usr/local DESTDIR= (and uninstall)'
	@echo 'make install-into    XEN_SRC=DIR, a Xen source tree: into its xl'
	@echo 'make deb             a Debian package, in build/deb'
	@echo 'make demo            show it on a real Xen, in emulation'
	@echo 'make check           all tests that a change needs'
	@echo 'make check-quick     those that need no Xen'
	@echo 'make check-full      everything, for a release'
	@echo 'make bench           measure, and write BENCHMARKS.md'
	@echo 'make bench-native    measure what needs no Xen, on this machine'
	@echo 'make clean'

$(BUILD)/xl-snapshot: $(ENGINE_OBJS) $(call objs,$(XEN_SRCS) $(FRONT_SRCS))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(XEN_LIBS) $(LIBS)

$(BUILD)/%.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

$(BUILD)/%.1: man/%.1.pod | need-build
	@mkdir -p $(@D)
	$(call say,MAN,$@)
	$(Q)pod2man --section=1 --center='Xen' --release='xl snapshots' $< $@

# Installs what is missing, or says what to run.
.PHONY: need-build
need-build:
	@tests/need build

.PHONY: install
install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBEXECDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(DOCDIR)/examples \
		$(DESTDIR)$(BASHCOMPDIR)
	install -m 755 front/xl $(DESTDIR)$(SBINDIR)/xl
	install -m 755 $(BUILD)/xl-snapshot $(DESTDIR)$(LIBEXECDIR)/xl-snapshot
	install -m 644 $(BUILD)/xl-snapshot.1 \
		$(DESTDIR)$(MANDIR)/man1/xl-snapshot.1
	install -m 644 completion/xl-snapshot $(DESTDIR)$(BASHCOMPDIR)/xl
	install -m 644 snapshot-cfg/*.cfg examples/*.* \
		$(DESTDIR)$(DOCDIR)/examples
	install -m 755 examples/xl-snapshot-nightly \
		examples/xl-snapshot-metrics examples/block-rbd \
		$(DESTDIR)$(DOCDIR)/examples

.PHONY: uninstall
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/xl $(DESTDIR)$(MANDIR)/man1/xl-snapshot.1 \
		$(DESTDIR)$(BASHCOMPDIR)/xl
	rm -rf $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DOCDIR)

# The commands as part of xl itself.  May be run again, with newer sources.
.PHONY: install-into
install-into:
	@./install-into '$(XEN_SRC)'

# The package's build is not to see the variables of this one.
.PHONY: deb
deb:
	@tests/need deb
	rm -rf $(BUILD)/deb
	tests/sources $(BUILD)/deb/xl-snapshot
	cd $(BUILD)/deb/xl-snapshot && \
		env -i PATH="$$PATH" HOME="$$HOME" dpkg-buildpackage -us -uc -b

.PHONY: demo
demo:
	@tests/need build xen
	@tests/xen/demo

include tests/tests.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)
