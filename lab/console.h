/* SPDX-License-Identifier: MIT */
/*
 * Reads the lab kernel's serial console for one thing: has that kernel died? Only this tells a
 * failure of the lab from a failure of what runs in it. Guests of the lab have consoles of their
 * own, and nothing that they print arrives here.
 */
#ifndef UPCALL_LAB_CONSOLE_H
#define UPCALL_LAB_CONSOLE_H

#include <stddef.h>
#include <stdio.h>

struct uc_console {
	FILE *log; /* a copy of everything, or NULL */
	char line[256];
	size_t len;
	char last[256];	 /* the last whole line that was not empty */
	char fatal[256]; /* the first line that says that the kernel died, or empty */
};

void uc_console_feed(struct uc_console *console, const char *bytes, size_t len);

#endif
