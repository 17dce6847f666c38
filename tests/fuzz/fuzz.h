/*
 * libFuzzer's interface (llvm.org/docs/LibFuzzer.html).  One harness per
 * kind of input that is not trusted; a harness aborts if a promise beyond
 * "no crash" is broken.
 */

#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void fuzz_demand(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "broken promise: %s\n", what);
        abort();
    }
}

#endif
