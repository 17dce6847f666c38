# What it takes to build the commands, beside xl (Makefile) and in it (xl.mk).

# The command line: xl_snapshot.c, and what stands beside it.
SNAPSHOT_CLI = xl_snapshot.c $(addprefix xl_snapshot_,cli.c report.c \
	clone.c delete.c export.c import.c list.c recover.c view.c)
SNAPSHOT_SRCS = $(SNAPSHOT_CLI) \
	$(sort $(wildcard snapshot/*.c snapshot/*/*.c))

# pkg-config's names: libraries, and what is compiled in from its header.
# libgcrypt has none in older releases.
SNAPSHOT_PKGS = blkid json-c libarchive libnbd libzstd
SNAPSHOT_HEADERS = libxxhash

# -iquote: <sys/file.h> is still the C library's.
SNAPSHOT_CFLAGS = -D_GNU_SOURCE -iquote snapshot -pthread $(shell \
	pkg-config --cflags $(SNAPSHOT_PKGS) $(SNAPSHOT_HEADERS) 2>/dev/null)
SNAPSHOT_LIBS = -pthread $(shell \
	pkg-config --libs $(SNAPSHOT_PKGS) 2>/dev/null) -lgcrypt
