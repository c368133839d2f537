/* SPDX-License-Identifier: MIT */
/* A fuzz target, as libFuzzer calls it; standalone.c calls it where there is no libFuzzer. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
