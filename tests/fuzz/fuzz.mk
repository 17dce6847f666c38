# Fuzz harnesses, for clang's libFuzzer; skipped where that is missing.

FUZZ_NAMES = cfg meta journal qmp image qcow2 memory export untar
FUZZ_CC = clang
FUZZ_CFLAGS = -O1 -g -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
FUZZ_DIR = $(BUILD)/fuzz
FUZZ_TESTS = $(addprefix $(FUZZ_DIR)/fuzz-,$(FUZZ_NAMES))
# Each harness ends at the first of the two; a longer run:
# make check-fuzz FUZZ_RUNS=-1 FUZZ_SECONDS=3600 FUZZ_SEED=0
FUZZ_RUNS = 20000
FUZZ_SECONDS = 15
FUZZ_SEED = 1

fuzz_objs = $(patsubst %.c,$(FUZZ_DIR)/%.o,$(1))
FUZZ_ENGINE = $(FUZZ_DIR)/engine.a

$(FUZZ_DIR)/%.o: %.c | need-build
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(FUZZ_CC) $(filter-out $(CFLAGS),$(ALL_CFLAGS)) $(FUZZ_CFLAGS) \
		-fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ_ENGINE): $(call fuzz_objs,$(ENGINE_SRCS) snapshot/cfg.c \
		tests/unit/nodomain.c)
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) qcs $@ $^

$(FUZZ_TESTS): $(FUZZ_DIR)/fuzz-%: $(FUZZ_DIR)/tests/fuzz/%.o $(FUZZ_ENGINE)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) \
		$(if $(filter %-cfg,$@),$(shell pkg-config --libs xlutil))

.SECONDARY: $(call fuzz_objs,$(addprefix tests/fuzz/,$(FUZZ_NAMES:=.c)))

.PHONY: fuzz-tests check-fuzz
fuzz-tests: $(FUZZ_TESTS)

check-fuzz:
	@if tests/fuzz/run --usable $(FUZZ_CC); then \
		$(MAKE) --no-print-directory fuzz-tests && \
		RUNS=$(FUZZ_RUNS) SECONDS_EACH=$(FUZZ_SECONDS) \
		SEED=$(FUZZ_SEED) KEEP=$(FUZZ_DIR) \
		tests/fuzz/run $(FUZZ_TESTS); \
	fi
