# The commands in xl: included by the Makefile of tools/xl.

include snapshot/snapshot.mk

SNAPSHOT_OBJS := $(patsubst %.c,%.o,$(SNAPSHOT_SRCS))
XL_OBJS += $(SNAPSHOT_OBJS)
$(SNAPSHOT_OBJS): CFLAGS += $(SNAPSHOT_CFLAGS)
xl: APPEND_LDFLAGS += $(SNAPSHOT_LIBS)

# It extends xl's own, "xl" or "xl.sh": the name makes bash load it later.
SNAPSHOT_COMPLETION = $(DESTDIR)$(BASH_COMPLETION_DIR)/xl_snapshot

.PHONY: install-snapshot uninstall-snapshot clean-snapshot
install: install-snapshot
install-snapshot:
	$(INSTALL_DIR) $(DESTDIR)$(BASH_COMPLETION_DIR)
	$(INSTALL_DATA) snapshot/bash-completion $(SNAPSHOT_COMPLETION)

uninstall: uninstall-snapshot
uninstall-snapshot:
	rm -f $(SNAPSHOT_COMPLETION)

clean: clean-snapshot
clean-snapshot:
	$(RM) snapshot/*.o snapshot/*/*.o
