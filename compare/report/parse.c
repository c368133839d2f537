/* SPDX-License-Identifier: MIT */
/*
 * One line of the record stream into the store. Nothing of a line is kept unless all of it is
 * right, so a caller may report the error and still use what came before.
 */
#include "compare/report/records.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Inside 2^53, what a double holds exactly; as a clock in us, 126 years of up time. */
#define COUNT_MAX   4000000000000000LL
#define LATENCY_MAX 1000000000LL

struct number {
	const char *key;
	int64_t min, max;
	size_t offset;
};

#define ABOUT(field, lo, hi)                                                                       \
	{                                                                                          \
#field, lo, hi, offsetof(struct uc_about, field)                                   \
	}
static const struct number about_numbers[] = {
	ABOUT(vcpus, 1, UC_VCPUS_MAX),	   ABOUT(host_cpus, 1, 65536),
	ABOUT(competitors, 0, 1024),	   ABOUT(competitor_vcpus, 0, UC_VCPUS_MAX),
	ABOUT(quota_percent, 0, 10000000), ABOUT(rate_hz, 1, 10000000),
	ABOUT(window_ms, 1, 86400000),	   ABOUT(seconds, 0, 86400000),
	ABOUT(seed, 0, INT64_MAX),	   {NULL},
};
#undef ABOUT

#define WINDOW(field, hi)                                                                          \
	{                                                                                          \
#field, 0, hi, offsetof(struct uc_window, field)                                   \
	}
static const struct number window_numbers[] = {
	WINDOW(id, UC_WINDOWS_MAX - 1), WINDOW(start_us, COUNT_MAX),
	WINDOW(end_us, COUNT_MAX),	WINDOW(vcpu_cpu_us, COUNT_MAX),
	WINDOW(vmm_cpu_us, COUNT_MAX),	WINDOW(competitor_cpu_us, COUNT_MAX),
	WINDOW(work, COUNT_MAX),	WINDOW(handed_over, COUNT_MAX),
	WINDOW(watch_looks, COUNT_MAX), {NULL},
};
#undef WINDOW

struct line {
	struct uc_records *records;
	struct uc_diag *diag;
};

static int bad(const struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(const struct line *l, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return uc_fail(l->diag, UC_EXIT_INTERNAL, EINVAL, "line %lu of the measurement: %s",
		       l->records->line, what);
}

static int no_memory(const struct line *l)
{
	return uc_fail(l->diag, UC_EXIT_INTERNAL, ENOMEM,
		       "no memory for the measurement's records: measure for less time, or at a "
		       "lower rate");
}

/*
 * Guests and hosts name themselves: what goes to a terminal has no control character (C0, DEL,
 * and C1, which UTF-8 spells c2 80 to c2 9f), and is cut at a character, never inside one.
 */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n >= size) {
		n = size - 1;
		while (n && ((unsigned char)from[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)from[i];
		bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)from[i + 1] < 0xa0;

		to[i] = c < 0x20 || c == 0x7f || c1 ? '?' : (char)c;
		if (c1)
			to[++i] = '?';
	}
	to[n] = '\0';
}

static int get_text(const struct line *l, json_t *object, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		return bad(l, "\"%s\" is missing or not a text", key);
	copy_text(to, size, text);
	return 0;
}

static bool is_name(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	return n && n <= UC_NAME_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") ==
		       n;
}

static int get_name(const struct line *l, json_t *object, const char *key, char *to)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!is_name(text))
		return bad(l, "\"%s\" is missing or not a name", key);
	strcpy(to, text);
	return 0;
}

static int get_int(const struct line *l, json_t *value, const struct number *n, int64_t *to)
{
	if (!json_is_integer(value))
		return bad(l, "\"%s\" is missing or not a whole number", n->key);
	*to = json_integer_value(value);
	if (*to < n->min || *to > n->max)
		return bad(l, "\"%s\" is %lld, outside %lld..%lld", n->key, (long long)*to,
			   (long long)n->min, (long long)n->max);
	return 0;
}

static int get_numbers(const struct line *l, json_t *object, const struct number *n, void *base)
{
	for (; n->key; n++) {
		int64_t value;

		if (get_int(l, json_object_get(object, n->key), n, &value))
			return -EINVAL;
		memcpy((char *)base + n->offset, &value, sizeof(value));
	}
	return 0;
}

static int name_index(const char (*names)[UC_NAME_MAX + 1], unsigned int count, const char *name)
{
	for (unsigned int i = 0; name && i < count; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -1;
}

static int get_names(const struct line *l, json_t *object, const char *key, unsigned int max,
		     char (*names)[UC_NAME_MAX + 1], unsigned int *count)
{
	json_t *array = json_object_get(object, key);
	size_t n = json_array_size(array);

	if (n < 1 || n > max)
		return bad(l, "\"%s\" is not a list of 1 to %u names", key, max);
	for (*count = 0; *count < n; (*count)++) {
		const char *name = json_string_value(json_array_get(array, *count));

		if (!is_name(name) ||
		    name_index((const char(*)[UC_NAME_MAX + 1]) names, *count, name) >= 0)
			return bad(l, "\"%s\" holds what is not a name, or one twice", key);
		strcpy(names[*count], name);
	}
	return 0;
}

static int add_about(const struct line *l, json_t *o)
{
	struct uc_about a = {0};

	if (l->records->has_about)
		return bad(l, "a second \"about\": these are two runs");
	if (get_text(l, o, "kernel", a.kernel, sizeof(a.kernel)) ||
	    get_text(l, o, "host", a.host, sizeof(a.host)) ||
	    get_text(l, o, "version", a.version, sizeof(a.version)) ||
	    get_name(l, o, "load", a.load) || get_name(l, o, "where", a.where) ||
	    get_numbers(l, o, about_numbers, &a) ||
	    get_names(l, o, "policies", UC_POLICIES_MAX, a.policy, &a.policies) ||
	    get_names(l, o, "probes", UC_PROBES_MAX, a.probe, &a.probes))
		return -EINVAL;
	l->records->about = a;
	l->records->has_about = true;
	return 0;
}

static int add_progress(const struct line *l, json_t *o)
{
	static const struct number done = {"done_ms", 0, COUNT_MAX},
				   total = {"total_ms", 0, COUNT_MAX};
	struct uc_run_progress p;
	int64_t done_ms, total_ms;

	if (get_text(l, o, "text", p.text, sizeof(p.text)) ||
	    get_int(l, json_object_get(o, done.key), &done, &done_ms) ||
	    get_int(l, json_object_get(o, total.key), &total, &total_ms))
		return -EINVAL;
	p.done_ms = (uint64_t)done_ms;
	p.total_ms = (uint64_t)total_ms;
	l->records->progress = p;
	l->records->has_progress = true;
	return 0;
}

static int get_per_vcpu(const struct line *l, json_t *o, const char *key, int64_t **to)
{
	const struct number n = {key, 0, COUNT_MAX};
	size_t vcpus = (size_t)l->records->about.vcpus;
	json_t *array = json_object_get(o, key);

	if (!json_is_array(array) || json_array_size(array) != vcpus)
		return bad(l, "\"%s\" is not a list of %zu numbers, one per vCPU", key, vcpus);
	*to = calloc(vcpus, sizeof(**to));
	if (!*to)
		return no_memory(l);
	for (size_t i = 0; i < vcpus; i++)
		if (get_int(l, json_array_get(array, i), &n, &(*to)[i]))
			return -EINVAL;
	return 0;
}

static int get_window_kind(const struct line *l, json_t *o, struct uc_window *w)
{
	const struct uc_about *about = &l->records->about;
	const char *phase = json_string_value(json_object_get(o, "phase"));
	const char *policy = json_string_value(json_object_get(o, "policy"));
	int index = name_index(about->policy, about->policies, policy);

	if (!phase || (strcmp(phase, "idle") && strcmp(phase, "load")))
		return bad(l, "\"phase\" is neither \"idle\" nor \"load\"");
	if (index < 0)
		return bad(l, "\"policy\" is none of those that \"about\" lists");
	w->phase = strcmp(phase, "idle") ? UC_PHASE_LOAD : UC_PHASE_IDLE;
	w->policy = (unsigned int)index;
	return 0;
}

static int fill_window(const struct line *l, json_t *o, struct uc_window *w)
{
	int err = get_numbers(l, o, window_numbers, w);

	if (!err)
		err = get_window_kind(l, o, w);
	if (!err && w->end_us <= w->start_us)
		err = bad(l, "a window ends before it starts");
	if (!err && uc_window_by_id(l->records, (uint32_t)w->id))
		err = bad(l, "window %lld comes twice", (long long)w->id);
	if (!err)
		err = get_per_vcpu(l, o, "upcalls", &w->upcalls);
	if (!err)
		err = get_per_vcpu(l, o, "events", &w->events);
	return err;
}

static int add_window(const struct line *l, json_t *o)
{
	struct uc_window *w = uc_records_window_slot(l->records);
	int err;

	if (!w)
		return no_memory(l);
	err = fill_window(l, o, w);
	if (!err && uc_records_window_keep(l->records))
		err = no_memory(l);
	if (err) {
		free(w->upcalls);
		free(w->events);
	}
	return err;
}

static int get_sample(const struct line *l, json_t *row, struct uc_sample *s)
{
	const struct number field[] = {
		{"window of a sample", 0, UC_WINDOWS_MAX - 1},
		{"probe of a sample", 0, l->records->about.probes - 1},
		{"sent_us of a sample", 0, COUNT_MAX},
		{"latency_us of a sample", UC_LATENCY_US_LOST, LATENCY_MAX},
	};
	int64_t value[4];

	if (json_array_size(row) != 4)
		return bad(l, "a sample is not a list of 4 numbers");
	for (size_t i = 0; i < 4; i++)
		if (get_int(l, json_array_get(row, i), &field[i], &value[i]))
			return -EINVAL;
	*s = (struct uc_sample){.window_id = (uint32_t)value[0],
				.probe = (uint32_t)value[1],
				.sent_us = value[2],
				.latency_us = value[3]};
	return 0;
}

static int add_samples(const struct line *l, json_t *array)
{
	struct uc_records *r = l->records;
	size_t n = json_array_size(array);

	if (!json_is_array(array))
		return bad(l, "\"samples\" is not a list");
	if (r->samples + n > UC_SAMPLES_MAX)
		return bad(l, "more than %d samples: measure for less time, or at a lower rate",
			   UC_SAMPLES_MAX);
	if (uc_records_samples_reserve(r, n))
		return no_memory(l);
	for (size_t i = 0; i < n; i++)
		if (get_sample(l, json_array_get(array, i), &r->sample[r->samples + i]))
			return -EINVAL;
	r->samples += n;
	return 0;
}

/* The same words again say nothing new. */
static void keep_text(struct uc_texts *texts, const char *text)
{
	char clean[UC_TEXT_MAX];

	copy_text(clean, sizeof(clean), text);
	for (unsigned int i = 0; i < texts->count; i++)
		if (!strcmp(texts->text[i], clean))
			return;
	if (texts->count == UC_NOTICES_MAX)
		texts->dropped++;
	else
		strcpy(texts->text[texts->count++], clean);
}

static int add_notice(const struct line *l, json_t *text)
{
	if (!json_is_string(text))
		return bad(l, "\"notice\" is not a text");
	keep_text(&l->records->notices, json_string_value(text));
	return 0;
}

static int add_end(const struct line *l, json_t *o)
{
	static const struct number lost = {"lost", 0, COUNT_MAX};
	json_t *problems = json_object_get(o, "guest_log_problems");
	json_t *text;
	int64_t value;
	size_t i;

	if (get_int(l, json_object_get(o, lost.key), &lost, &value))
		return -EINVAL;
	if (!json_is_array(problems))
		return bad(l, "\"guest_log_problems\" is missing or not a list");
	json_array_foreach(problems, i, text) if (!json_is_string(text)) return bad(
		l, "\"guest_log_problems\" holds what is not a text");
	json_array_foreach(problems, i, text)
		keep_text(&l->records->log_problems, json_string_value(text));
	l->records->end_lost = value;
	l->records->has_end = true;
	return 0;
}

static int add_error(const struct line *l, json_t *o)
{
	static const struct number status = {"status", 1, 255};
	char text[UC_TEXT_MAX * 2];
	int64_t value;

	if (get_int(l, json_object_get(o, status.key), &status, &value) ||
	    get_text(l, o, "text", text, sizeof(text)))
		return -EINVAL;
	return uc_fail(l->diag, (enum uc_exit)value, EIO, "%s", text);
}

static const struct kind {
	const char *key;
	int (*add)(const struct line *l, json_t *value);
	bool needs_about;
} kinds[] = {
	{"about", add_about, false},   {"progress", add_progress, false},
	{"window", add_window, true},  {"samples", add_samples, true},
	{"notice", add_notice, false}, {"end", add_end, true},
	{"error", add_error, false},
};

static int add_object(const struct line *l, json_t *object)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		json_t *value = json_object_get(object, kinds[i].key);

		if (!value)
			continue;
		if (kinds[i].needs_about && !l->records->has_about)
			return bad(l, "\"%s\" before \"about\"", kinds[i].key);
		if (l->records->has_end)
			return bad(l, "\"%s\" after \"end\"", kinds[i].key);
		return kinds[i].add(l, value);
	}
	return bad(l, "not a record of any known kind");
}

int uc_records_add(struct uc_records *records, const char *line, struct uc_diag *diag)
{
	const struct line l = {records, diag};
	json_error_t error;
	json_t *object;
	int err;

	records->line++;
	if (line[strspn(line, " \t\r\n")] == '\0')
		return 0;
	object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		return bad(&l, "cut off or malformed at column %d", error.column);
	err = json_object_size(object) == 1 ? add_object(&l, object)
					    : bad(&l, "not an object with one member");
	json_decref(object);
	return err;
}
