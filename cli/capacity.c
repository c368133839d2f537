/* SPDX-License-Identifier: MIT */
/*
 * `upcall capacity`: how many guests' event channels fit in some memory, by the design draft's
 * estimate and by this library's own structures. A row for each combination of what is asked; the
 * sums are in capacity_sums.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/capacity_sums.h"
#include "cli/cli.h"
#include "cli/show.h"

#define VALUES_MAX 16

static struct {
	const char *memory, *vcpus, *events, *domains;
	bool host_back_ends, json;
} asked = {.memory = "512M", .vcpus = "1,8", .events = "64,1024"};

static const struct uc_opt opts[] = {
	{"memory", UC_OPT_STR, "SIZE[,SIZE]...", "memory for event channels (default 512M)",
	 &asked.memory},
	{"vcpus", UC_OPT_STR, "N[,N]...", "vCPUs of a domain (default 1,8)", &asked.vcpus},
	{"events", UC_OPT_STR, "N[,N]...", "event channels of a guest (default 64,1024)",
	 &asked.events},
	{"domains", UC_OPT_STR, "N[,N]...",
	 "what that many guests cost (default: as many as fit in the memory)", &asked.domains},
	{"host-back-ends", UC_OPT_FLAG, NULL,
	 "the other ends of the channels are the host's end points, not ports of driver domains",
	 &asked.host_back_ends},
	{"json", UC_OPT_FLAG, NULL, "print JSON", &asked.json},
	{NULL},
};

struct values {
	uint64_t value[VALUES_MAX];
	unsigned int count;
};

struct range {
	const char *name;
	uint64_t min, max;
	bool is_size; /* in bytes; else a plain number */
};

static const struct range memory_range = {"memory", 1ull << 20, 1ull << 50, true};
static const struct range vcpus_range = {"vcpus", 1, 32768, false};
static const struct range events_range = {"events", 1, UC_CAPACITY_EVENTS_MAX, false};
static const struct range domains_range = {"domains", 1, UC_CAPACITY_IDS, false};

static int parse_one(const struct range *range, const char *text, uint64_t *value)
{
	char *end;

	if (range->is_size)
		return uc_parse_size(text, value);
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !isdigit((unsigned char)text[0]) || *end || errno ? -EINVAL : 0;
}

static int refuse(const struct range *range, const char *text, struct uc_diag *diag)
{
	if (range->is_size)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--%s %s: give up to %d sizes from %lluM to %lluM, such as "
			       "512M,2G",
			       range->name, text, VALUES_MAX, (unsigned long long)range->min >> 20,
			       (unsigned long long)range->max >> 20);
	return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
		       "--%s %s: give up to %d whole numbers from %llu to %llu, with commas "
		       "between them",
		       range->name, text, VALUES_MAX, (unsigned long long)range->min,
		       (unsigned long long)range->max);
}

/* "1,8" -> two values. An empty one, one too many or one out of range is refused. */
static int parse(const struct range *range, const char *text, struct values *values,
		 struct uc_diag *diag)
{
	const char *from = text;
	char word[32];

	values->count = 0;
	for (;;) {
		size_t length = strcspn(from, ",");
		uint64_t *value = &values->value[values->count];

		if (values->count == VALUES_MAX || length >= sizeof(word))
			return refuse(range, text, diag);
		memcpy(word, from, length);
		word[length] = 0;
		if (parse_one(range, word, value) || *value < range->min || *value > range->max)
			return refuse(range, text, diag);
		values->count++;
		if (!from[length])
			return 0;
		from += length + 1;
	}
}

struct row {
	const struct uc_capacity_host *host;
	uint64_t domains, fit, draft_fit, draft_bytes;
	bool by_ids;
	struct uc_capacity_cost cost;
};

static int fill_row(struct row *row, const struct uc_capacity_host *host, uint64_t domains)
{
	row->host = host;
	row->fit = uc_capacity_domains(host, &row->by_ids);
	row->domains = domains ? domains : row->fit;
	if (uc_capacity_draft_domains(host->memory_bytes, host->events_per_domain,
				      &row->draft_fit) ||
	    uc_capacity_draft_bytes(row->domains, host->events_per_domain, &row->draft_bytes))
		return -EOVERFLOW;
	return uc_capacity_cost(host, row->domains, &row->cost);
}

static int set_int(json_t *object, const char *key, uint64_t value)
{
	return json_object_set_new(object, key, json_integer((json_int_t)value));
}

/* A number of bytes for a program, MiB with one decimal for a person. */
static int set_size(json_t *object, const char *what, uint64_t bytes)
{
	char key[32];

	snprintf(key, sizeof(key), "%s_%s", what, asked.json ? "bytes" : "mib");
	if (asked.json)
		return set_int(object, key, bytes);
	return json_object_set_new(object, key,
				   json_real((double)((bytes * 10 + (1 << 19)) >> 20) / 10));
}

static json_t *json_of(const struct row *row)
{
	const struct uc_capacity_cost *cost = &row->cost;
	json_t *o = json_object();
	int bad = set_size(o, "memory", row->host->memory_bytes) ||
		  set_int(o, "vcpus", row->host->vcpus_per_domain) ||
		  set_int(o, "events", row->host->events_per_domain) ||
		  set_int(o, "draft_fit", row->draft_fit) || set_int(o, "fit", row->fit) ||
		  json_object_set_new(o, "limit", json_string(row->by_ids ? "ids" : "memory")) ||
		  set_int(o, "domains", row->domains) ||
		  set_int(o, "drivers", cost->driver_domains) || set_int(o, "ports", cost->ports) ||
		  set_size(o, "draft", row->draft_bytes) ||
		  set_size(o, "state", cost->state_bytes) ||
		  set_size(o, "total", cost->total_bytes);

	if (!bad)
		return o;
	json_decref(o);
	return NULL;
}

static int add_row(json_t *rows, const struct uc_capacity_host *host, uint64_t domains,
		   struct uc_diag *diag)
{
	struct row row;

	if (fill_row(&row, host, domains))
		return uc_fail(diag, UC_EXIT_USAGE, EOVERFLOW, "that is beyond 2^64 bytes");
	if (json_array_append_new(rows, json_of(&row)))
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "no memory for the table");
	return 0;
}

struct request {
	struct values memory, vcpus, events, domains;
};

static int parse_all(struct request *r, struct uc_diag *diag)
{
	int rc = parse(&memory_range, asked.memory, &r->memory, diag);

	if (!rc)
		rc = parse(&vcpus_range, asked.vcpus, &r->vcpus, diag);
	if (!rc)
		rc = parse(&events_range, asked.events, &r->events, diag);
	if (!rc && asked.domains)
		return parse(&domains_range, asked.domains, &r->domains, diag);
	r->domains = (struct values){.count = 1}; /* 0: as many as fit */
	return rc;
}

/* All combinations, the last option's values changing fastest. */
static int add_rows(json_t *rows, const struct request *r, struct uc_diag *diag)
{
	unsigned int all = r->memory.count * r->vcpus.count * r->events.count * r->domains.count;
	int rc = 0;

	for (unsigned int i = 0; i < all && !rc; i++) {
		unsigned int n = i;
		uint64_t domains = r->domains.value[n % r->domains.count];
		struct uc_capacity_host host = {.host_back_ends = asked.host_back_ends};

		n /= r->domains.count;
		host.events_per_domain = (uint32_t)r->events.value[n % r->events.count];
		n /= r->events.count;
		host.vcpus_per_domain = (uint32_t)r->vcpus.value[n % r->vcpus.count];
		n /= r->vcpus.count;
		host.memory_bytes = r->memory.value[n];
		rc = add_row(rows, &host, domains, diag);
	}
	return rc;
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	json_t *rows = json_array();
	struct request request;
	int rc = parse_all(&request, diag);

	(void)argc, (void)argv, (void)status;
	if (!rc)
		rc = add_rows(rows, &request, diag);
	if (!rc)
		rc = uc_show(rows, asked.json, diag);
	json_decref(rows);
	return rc;
}

const struct uc_command uc_cmd_capacity = {
	.name = "capacity",
	.args = "",
	.summary = "how many guests' event channels fit in some memory, and what they cost",
	.details = "A row for each combination of the values given.\n"
		   "\n"
		   "  draft_fit  guests, by the estimate of the FIFO ABI's design (draft A):\n"
		   "             V = P / (1 + E_V / E_P), where P pages are for event arrays, a\n"
		   "             guest has E_V events, and a page E_P = 1024 words. Each guest\n"
		   "             has a page of its own; the other ends are packed.\n"
		   "  fit        guests, by all that this library and its guests take for it\n"
		   "  limit      what ends first: the memory, or the ids (there are 32751)\n"
		   "  domains    the number of guests that what follows is about\n"
		   "  drivers    driver domains with the other ends: up to 131071 ports each,\n"
		   "             and as many vCPUs as a guest\n"
		   "  ports      of guests and driver domains; or ports, and end points\n"
		   "  draft_mib  event array pages, by the estimate\n"
		   "  state_mib  the host's structures: domains, vCPUs, ports, affinity sets\n"
		   "  total_mib  these, all event array pages, and a page for each vCPU's\n"
		   "             control block, as Linux has it\n"
		   "\n"
		   "Not counted: shared_info and vcpu_info, which are there without event\n"
		   "channels. With --json all sizes are in bytes.",
	.opts = opts,
	.run = run,
};
