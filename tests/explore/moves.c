/* SPDX-License-Identifier: MIT */
/* See moves.h. */
#include "moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

static void print_moves(const struct schedule *schedule)
{
	for (uint32_t i = 0; i < schedule->nr; i++) {
		const struct move *m = &schedule->moves[i];

		if (m->is_flip)
			printf("%s%u!%s", i ? "," : "", m->step, scene_flip_name(m->value));
		else
			printf("%s%u:%u", i ? "," : "", m->step, m->value);
	}
}

void print_failure(const char *name, const char *failure, const struct schedule *schedule)
{
	printf("%s: %s\n  explore %s --replay ", name, failure, name);
	if (!schedule->nr)
		printf("none");
	print_moves(schedule);
	printf("\n");
	fflush(stdout);
}

/* "12:1" or "12!word2.31"; NULL when it is neither, else what follows. */
static const char *read_move(const char *text, struct move *move)
{
	char *end, name[32];

	move->step = (uint32_t)strtoul(text, &end, 10);
	move->is_flip = *end == '!';
	if (end == text || (*end != ':' && *end != '!'))
		return NULL;
	text = end + 1;
	if (move->is_flip) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ","), text);
		move->value = scene_flip_by_name(name);
		return move->value == NO_FLIP ? NULL : text + strcspn(text, ",");
	}
	move->value = (uint32_t)strtoul(text, &end, 10);
	return end == text || move->value >= engine_nr_actors() ? NULL : end;
}

bool read_moves(const char *text, struct schedule *schedule)
{
	schedule->nr = 0;
	if (!strcmp(text, "none"))
		return true;
	while (*text && schedule->nr < MOVES) {
		text = read_move(text, &schedule->moves[schedule->nr++]);
		if (!text || (*text && *text++ != ','))
			return false;
	}
	return schedule->nr > 0;
}
