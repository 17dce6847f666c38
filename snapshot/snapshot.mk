# What it takes to build the commands: included by this project's Makefile and
# by that of tools/xl, each in the folder that holds xl_snapshot.c.

SNAPSHOT_SRCS = xl_snapshot.c $(sort $(wildcard snapshot/*.c))

# pkg-config's names: libraries, and what is compiled in from its header.
SNAPSHOT_PKGS = json-c libzstd
SNAPSHOT_HEADERS = libxxhash

SNAPSHOT_CFLAGS = -D_GNU_SOURCE -pthread $(shell \
	pkg-config --cflags $(SNAPSHOT_PKGS) $(SNAPSHOT_HEADERS) 2>/dev/null)
SNAPSHOT_LIBS = -pthread $(shell \
	pkg-config --libs $(SNAPSHOT_PKGS) 2>/dev/null)
