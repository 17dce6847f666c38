# The fault sweep and what goes with it, on the fake host.

SWEEP = $(BUILD)/sweep

# For "make check", and for "make check-full".
SWEEP_TESTS = tests/sweep/some tests/sweep/concurrency tests/sweep/walk tests/sweep/comeback
SWEEP_FULL_TESTS = tests/sweep/all tests/sweep/concurrency tests/sweep/walk \
	tests/sweep/comeback

# The engine is in it for the names of its steps.
SWEEP_PROGRAM = $(addprefix tests/sweep/,sweep.c ops.c cases.c trial.c \
	scene.c run.c copy.c look.c stray.c qcow2.c user.c) $(FAKE_HOST) \
	$(filter-out $(FAKE_HOST),$(ENGINE_SRCS)) \
	tests/fake/domain.c $(FAKE_FAULTS)

WALK_PROGRAM = $(addprefix tests/sweep/,walk.c walk_world.c walk_model.c \
	walk_steps.c walk_ops.c walk_check.c walk_next.c run.c scene.c copy.c \
	look.c qcow2.c) $(FAKE_HOST)

.PHONY: sweep-tests
sweep-tests: fake $(SWEEP)/sweep $(SWEEP)/walk
export BUILD

$(SWEEP)/sweep: $(call FAKE_OBJ,$(SWEEP_PROGRAM))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(FAKE_WRAP_FLAGS) $(LIBS)

$(SWEEP)/walk: $(call FAKE_OBJ,$(WALK_PROGRAM))
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
