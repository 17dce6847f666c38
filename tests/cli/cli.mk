# The command line, on the fake host.

CLI_TESTS = tests/cli/options tests/cli/list tests/cli/examples
