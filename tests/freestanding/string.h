/* SPDX-License-Identifier: MIT */
/* All that lib/ needs of a C library: the two functions that a compiler may call anyway. */
#ifndef TESTS_FREESTANDING_STRING_H
#define TESTS_FREESTANDING_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

#endif
