/* SPDX-License-Identifier: MIT */
/*
 * The inputs are copied to blocks of exactly their size, so that AddressSanitizer sees a read of
 * one byte more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/boot/harness.h"
#include "vmm/boot/layout.h"

#define MEM_BYTES (64ull << 20)

struct uc_mem ram;
struct uc_diag diag;
struct uc_kernel kernel;

int set_up(void **state)
{
	(void)state;
	memset(&diag, 0, sizeof(diag));
	return uc_mem_init(&ram, MEM_BYTES, &diag);
}

int tear_down(void **state)
{
	(void)state;
	uc_mem_destroy(&ram);
	return 0;
}

int load(const void *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	int err;

	assert_non_null(exact);
	memcpy(exact, data, len);
	memset(&diag, 0, sizeof(diag));
	memset(&kernel, 0, sizeof(kernel));
	err = uc_kernel_load_bytes("K", exact, len, &ram, &kernel, &diag);
	free(exact);
	return err;
}

void assert_refused(int err, int expected, int status, const char *words)
{
	assert_int_equal(err, -expected);
	assert_int_equal(diag.status, status);
	if (!strstr(diag.text, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, words);
	assert_null(strchr(diag.text, '\n'));
}

void assert_made_kernel_in_ram(void)
{
	const uint8_t *p = uc_mem_at(&ram, MADE_LOAD_AT, MADE_CODE + MADE_BSS);

	assert_int_equal(kernel.entry, MADE_ENTRY);
	assert_int_equal(kernel.low, MADE_LOAD_AT);
	assert_int_equal(kernel.high, MADE_LOAD_AT + MADE_CODE + MADE_BSS);
	for (size_t i = 0; i < MADE_CODE; i++)
		assert_int_equal(p[i], code_byte(i));
	for (size_t i = 0; i < MADE_BSS; i++)
		assert_int_equal(p[MADE_CODE + i], 0);
	assert_int_equal(p[-1], 0xa5);
	assert_int_equal(p[MADE_CODE + MADE_BSS], 0xa5);
}

void dirty_ram(void)
{
	memset(uc_mem_at(&ram, MADE_LOAD_AT - 4096, 16384), 0xa5, 16384);
}

void try_changes(uint8_t *data, size_t len, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		uint8_t old = data[i];

		for (int change = 0; change < 10; change++) {
			int err;

			data[i] = change < 8 ? old ^ (1u << change) : change == 8 ? 0 : 0xff;
			err = load(data, len);
			assert_int_equal(!err, diag.text[0] == '\0');
			assert_true(err || kernel.high <= uc_layout_acpi(&ram));
			assert_true(err || kernel.low >= UC_GPA_KERNEL_START);
			assert_true(err ||
				    (kernel.entry >= kernel.low && kernel.entry < kernel.high));
		}
		data[i] = old;
	}
}
