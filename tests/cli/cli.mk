# The command line, on the fake host.

CLI_TESTS = $(addprefix tests/cli/,options list completion manual examples \
	foreign deep)
