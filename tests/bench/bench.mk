# The benchmark: writes BENCHMARKS.md, in about half an hour.

BENCH_STORE = $(BUILD)/bench/store

$(BENCH_STORE): $(call objs,tests/bench/store.c tests/unit/nodomain.c) \
		$(UNIT_ENGINE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# The memory image's part, on this machine and without emulation.
BENCH_NATIVE = $(BUILD)/bench/native

$(BENCH_NATIVE): $(call objs,tests/bench/native.c tests/unit/nodomain.c) \
		$(UNIT_ENGINE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: bench bench-native
bench-native:
	@tests/need quick
	@$(MAKE) --no-print-directory $(BENCH_NATIVE) $(BENCH_STORE)
	@tests/bench/native

bench:
	@tests/need bench
	@$(MAKE) --no-print-directory all fake $(BENCH_STORE)
	@tests/bench/run
