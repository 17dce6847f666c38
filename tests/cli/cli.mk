# The command line, on the fake host.

CLI_TESTS = $(addprefix tests/cli/,line front options list completion manual \
	examples foreign deep live view export export-tar import clone share \
	images shared stuck lines meanwhile hotplug block-rbd found traces)

# For "make check-full", beside these.
CLI_FULL_TESTS = $(addprefix tests/cli/,meanwhile-all oldstore \
	export-faults export-chain)
