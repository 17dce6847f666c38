# The benchmark.

BENCH_STORE = $(BUILD)/bench/store

$(BENCH_STORE): $(call objs,tests/bench/store.c tests/unit/nodomain.c) \
		$(UNIT_ENGINE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
