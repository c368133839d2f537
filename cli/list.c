/* SPDX-License-Identifier: MIT */
/* `upcall list`: the user's running machines. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/show.h"
#include "vmm/ctl/client.h"

static bool as_json;

static const struct uc_opt opts[] = {
	{"json", UC_OPT_FLAG, NULL, "print JSON", &as_json},
	{NULL},
};

static json_t *uptime_text(const json_t *status)
{
	long long s = (long long)json_number_value(json_object_get(status, "uptime_s"));
	long long h = s / 3600 % 24, m = s / 60 % 60;

	if (s < 86400)
		return json_sprintf("%02lld:%02lld:%02lld", h, m, s % 60);
	return json_sprintf("%lldd %02lld:%02lld", s / 86400, h, m);
}

/* A row for a person, or the same keys as in `status` for a program. */
static json_t *row_of(const json_t *status)
{
	json_t *name = json_object_get(status, "name"), *pid = json_object_get(status, "pid");
	json_t *vcpus = json_object_get(status, "vcpus");
	json_t *memory = json_object_get(status, "memory_mib");

	if (as_json)
		return json_pack("{sO sO sO sO sO}", "name", name, "pid", pid, "vcpus", vcpus,
				 "memory_mib", memory, "uptime_s",
				 json_object_get(status, "uptime_s"));
	return json_pack("{sO sO sO so so}", "name", name, "pid", pid, "vcpus", vcpus, "memory",
			 json_sprintf("%lld MiB", (long long)json_integer_value(memory)), "uptime",
			 uptime_text(status));
}

/* A machine that ends while we ask is not running any more: no row, no error. */
static int add_row(json_t *rows, const char *name, const json_t *request, struct uc_diag *diag)
{
	struct uc_diag why = {0};
	json_t *status, *row;
	int rc = uc_ctl_ask_once(name, request, &status, &why);

	if (rc == -ENOENT || rc == -ECONNRESET)
		return 0;
	if (rc) {
		*diag = why;
		return rc;
	}
	row = row_of(status);
	json_decref(status);
	if (!row)
		return uc_fail(diag, UC_EXIT_CTL, EPROTO, "%s: an answer that is none", name);
	return json_array_append_new(rows, row);
}

static int show(const json_t *rows, struct uc_diag *diag)
{
	if (!as_json && !json_array_size(rows)) {
		puts("no machine is running");
		return 0;
	}
	return uc_show(rows, as_json, diag);
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	json_t *names = uc_ctl_running(diag), *request = json_pack("{ss}", "op", "status");
	json_t *rows = json_array(), *name;
	int rc = names ? 0 : -EIO;
	size_t i;

	(void)argc, (void)argv, (void)status;
	json_array_foreach(names, i, name)
	{
		if (!rc)
			rc = add_row(rows, json_string_value(name), request, diag);
	}
	if (!rc)
		rc = show(rows, diag);
	json_decref(names);
	json_decref(request);
	json_decref(rows);
	return rc;
}

const struct uc_command uc_cmd_list = {
	.name = "list",
	.args = "",
	.summary = "list your running machines",
	.details = "Those of other users are not shown, nor those in a lab.",
	.opts = opts,
	.run = run,
};
