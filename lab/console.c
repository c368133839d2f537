/* SPDX-License-Identifier: MIT */
/* See console.h; called by session.c with what QEMU's serial port wrote. */
#include "lab/console.h"

#include <stdbool.h>
#include <string.h>

/* A printk line behind its "[    1.234567] " stamp. */
static const char *message(const char *line)
{
	const char *end;

	if (line[0] != '[')
		return line;
	end = strstr(line, "] ");
	return end ? end + 2 : line;
}

/* arch/x86/kernel/dumpstack.c prints "Oops: ", lib/bug.c "kernel BUG at", kernel/panic.c the
 * third, arch/x86/mm/fault.c the last two. */
static bool is_fatal(const char *line)
{
	static const char *const starts[] = {
		"Oops: ",
		"kernel BUG at",
		"Kernel panic - not syncing",
		"BUG: unable to handle",
		"BUG: kernel NULL pointer dereference",
	};
	const char *text = message(line);

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (!strncmp(text, starts[i], strlen(starts[i])))
			return true;
	return false;
}

static void end_line(struct uc_console *c)
{
	while (c->len && c->line[c->len - 1] == '\r')
		c->len--;
	c->line[c->len] = '\0';
	if (c->len)
		memcpy(c->last, c->line, c->len + 1);
	if (!c->fatal[0] && is_fatal(c->line))
		memcpy(c->fatal, c->line, c->len + 1);
	c->len = 0;
}

void uc_console_feed(struct uc_console *c, const char *bytes, size_t len)
{
	if (c->log) {
		fwrite(bytes, 1, len, c->log);
		fflush(c->log);
	}
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			end_line(c);
		else if (c->len < sizeof(c->line) - 1)
			c->line[c->len++] = bytes[i];
	}
}
