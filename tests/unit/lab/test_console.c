/* SPDX-License-Identifier: MIT */
/* Which console lines say that the lab's own kernel died, and which only look like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lab/console.h"

static const char *fatal_of(const char *text)
{
	static struct uc_console console;

	memset(&console, 0, sizeof(console));
	uc_console_feed(&console, text, strlen(text));
	return console.fatal;
}

static void deaths_are_recognised(void **state)
{
	static const char *const dead[] = {
		"[   12.345678] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI\r\n",
		"[    3.581531] Kernel panic - not syncing: sysrq triggered crash\n",
		"[ 1234.000001] kernel BUG at mm/slub.c:1!\n",
		"[    1.0] BUG: unable to handle page fault for address: 0\n",
		"[    1.0] BUG: kernel NULL pointer dereference, address: 0\n",
		"Oops: 0000 [#1]\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++)
		if (!fatal_of(dead[i])[0])
			fail_msg("missed: %s", dead[i]);
}

static void the_living_are_left_alone(void **state)
{
	static const char *const alive[] = {
		"[    1.0] Command line: oops=panic Oops: panic=-1\n",
		"[    1.0] WARNING: CPU: 0 PID: 1 at x\n",
		"[    1.0] systemd: a guest said Kernel panic - not syncing\n",
		"[    1.0] BUG: soft lockup - CPU#0 stuck for 22s!\n",
		"[    1.0] Oops: a line without its end",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(alive) / sizeof(alive[0]); i++)
		if (fatal_of(alive[i])[0])
			fail_msg("false alarm: %s", alive[i]);
}

static void a_line_may_come_in_pieces(void **state)
{
	static const char text[] = "x\n[    1.0] Oops: int3\r\nafter\n";
	struct uc_console console = {0};

	(void)state;
	for (size_t i = 0; i < strlen(text); i++)
		uc_console_feed(&console, text + i, 1);
	assert_string_equal(console.fatal, "[    1.0] Oops: int3");
	assert_string_equal(console.last, "after");
}

static void the_first_death_is_kept(void **state)
{
	(void)state;
	assert_string_equal(fatal_of("Oops: first\nKernel panic - not syncing: second\n"),
			    "Oops: first");
}

static void an_endless_line_stays_in_bounds(void **state)
{
	struct uc_console console = {0};
	char chunk[4096];

	(void)state;
	memset(chunk, 'a', sizeof(chunk));
	uc_console_feed(&console, "Oops: ", 6);
	for (int i = 0; i < 10; i++)
		uc_console_feed(&console, chunk, sizeof(chunk));
	uc_console_feed(&console, "\n", 1);
	assert_int_equal(strlen(console.fatal), sizeof(console.fatal) - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(deaths_are_recognised),
		cmocka_unit_test(the_living_are_left_alone),
		cmocka_unit_test(a_line_may_come_in_pieces),
		cmocka_unit_test(the_first_death_is_kept),
		cmocka_unit_test(an_endless_line_stays_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
