/* SPDX-License-Identifier: MIT */
/*
 * A value's shape decides how it is shown, so that a new op needs nothing here: an array of objects
 * is a table, its columns the keys of the first object; scalars, and arrays of them, are one cell.
 */
#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CELL_SIZE   1024
#define COLUMNS_MAX 32

static bool is_table(const json_t *json)
{
	return json_is_object(json_array_get(json, 0));
}

static void scalar(const json_t *json, char cell[CELL_SIZE])
{
	switch (json ? json_typeof(json) : JSON_NULL) {
	case JSON_STRING:
		snprintf(cell, CELL_SIZE, "%s", json_string_value(json));
		break;
	case JSON_INTEGER:
		snprintf(cell, CELL_SIZE, "%lld", (long long)json_integer_value(json));
		break;
	case JSON_REAL:
		snprintf(cell, CELL_SIZE, "%.10g", json_real_value(json));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(cell, CELL_SIZE, "%s", json_is_true(json) ? "yes" : "no");
		break;
	default:
		snprintf(cell, CELL_SIZE, "-");
	}
	/* What a guest or a file's name put there must not drive the terminal. */
	for (char *c = cell; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* A scalar, or the scalars of an array with a blank between them. */
static void format(const json_t *json, char cell[CELL_SIZE])
{
	char one[CELL_SIZE];
	size_t used = 0;

	if (!json_is_array(json) || !json_array_size(json)) {
		scalar(json, cell);
		return;
	}
	for (size_t i = 0; i < json_array_size(json) && used < CELL_SIZE; i++) {
		scalar(json_array_get(json, i), one);
		used += (size_t)snprintf(cell + used, CELL_SIZE - used, "%s%s", i ? " " : "", one);
	}
}

/* ---- tables ---- */

struct column {
	const char *key;
	int width;
	bool right; /* numbers */
};

static unsigned int find_columns(const json_t *table, struct column *columns)
{
	char cell[CELL_SIZE];
	unsigned int count = 0;
	const char *key;
	json_t *value;

	json_object_foreach(json_array_get(table, 0), key, value) if (count < COLUMNS_MAX)
		columns[count++] = (struct column){
			.key = key, .width = (int)strlen(key), .right = json_is_number(value)};
	for (unsigned int c = 0; c < count; c++)
		for (size_t row = 0; row < json_array_size(table); row++) {
			format(json_object_get(json_array_get(table, row), columns[c].key), cell);
			if ((int)strlen(cell) > columns[c].width)
				columns[c].width = (int)strlen(cell);
		}
	return count;
}

static void show_cell(const struct column *column, const char *text, bool last)
{
	int width = last && !column->right ? 0 : column->width;

	printf("%*s%s", column->right ? width : -width, text, last ? "\n" : "  ");
}

static void show_table(const json_t *table)
{
	struct column columns[COLUMNS_MAX];
	unsigned int count = find_columns(table, columns);
	char cell[CELL_SIZE];

	for (unsigned int c = 0; c < count; c++)
		show_cell(&columns[c], columns[c].key, c + 1 == count);
	for (size_t row = 0; row < json_array_size(table); row++)
		for (unsigned int c = 0; c < count; c++) {
			format(json_object_get(json_array_get(table, row), columns[c].key), cell);
			show_cell(&columns[c], cell, c + 1 == count);
		}
}

/* ---- objects ---- */

static void show_member(int indent, const char *key, const json_t *value, int width)
{
	char cell[CELL_SIZE];

	format(value, cell);
	printf("%*s%s:%*s%s\n", indent, "", key, width - (int)strlen(key) + 1, "", cell);
}

/* The cells first, then the tables, then the objects within, each under its key. */
static void show_object(const json_t *object, int indent)
{
	const json_t *value;
	const char *key;
	int width = 0;

	json_object_foreach((json_t *)object, key,
			    value) if (!is_table(value) && !json_is_object(value) &&
				       (int)strlen(key) > width) width = (int)strlen(key);
	json_object_foreach((json_t *)object, key,
			    value) if (!is_table(value) && !json_is_object(value))
		show_member(indent, key, value, width);
	json_object_foreach((json_t *)object, key, value)
	{
		if (is_table(value)) {
			printf("%*s%s:\n", indent, "", key);
			show_table(value);
		} else if (json_is_object(value)) {
			printf("%*s%s:\n", indent, "", key);
			show_object(value, indent + 2);
		}
	}
}

static void show_text(const json_t *json)
{
	char cell[CELL_SIZE];

	if (json_is_object(json)) {
		show_object(json, 0);
	} else if (is_table(json)) {
		show_table(json);
	} else {
		format(json, cell);
		puts(cell);
	}
}

int uc_show(const json_t *json, bool as_json, struct uc_diag *diag)
{
	int bad = 0;

	if (as_json)
		bad = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) ||
		      putchar('\n') == EOF;
	else
		show_text(json);
	if (fflush(stdout) || ferror(stdout) || bad)
		return uc_fail(diag, UC_EXIT_INTERNAL, EIO, "cannot write to standard output");
	return 0;
}
