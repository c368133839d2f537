/* SPDX-License-Identifier: MIT */
/*
 * From a request line to a reply line: parses, finds the row, checks the names of the arguments,
 * runs it. Each request has exactly one reply, whatever is wrong with it.
 */
#include "vmm/ctl/ops.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct uc_ctl_op uc_ctl_ops[] = {
	{"status", uc_ctl_op_status, {NULL}},
	{"ports", uc_ctl_op_ports, {"from", "count", NULL}},
	{"version", uc_ctl_op_version, {NULL}},
	{"policy", uc_ctl_op_policy, {"policy", "port", NULL}},
	{"boost", uc_ctl_op_boost, {"when", NULL}},
	{"affinity", uc_ctl_op_affinity, {"vcpus", "port", NULL}},
	{"priority", uc_ctl_op_priority, {"port", "priority", NULL}},
	{"quit", uc_ctl_op_quit, {NULL}},
	{NULL},
};

int uc_ctl_refuse(char error[UC_CTL_ERROR_SIZE], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, UC_CTL_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return -err;
}

int uc_ctl_arg_uint(const json_t *args, const struct uc_ctl_uint *want, uint32_t *value,
		    char error[UC_CTL_ERROR_SIZE])
{
	const json_t *given = json_object_get(args, want->key);
	json_int_t n = json_integer_value(given);

	*value = want->otherwise;
	if (!given)
		return 0;
	if (!json_is_integer(given) || n < want->min || n > want->max)
		return uc_ctl_refuse(error, EINVAL, "%s: give a whole number from %u to %u",
				     want->key, want->min, want->max);
	*value = (uint32_t)n;
	return 0;
}

/* ---- replies ---- */

static char *as_line(json_t *reply)
{
	char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
	size_t bytes = text ? strlen(text) : 0;
	char *line = text ? realloc(text, bytes + 2) : NULL;

	json_decref(reply);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + bytes, "\n", 2);
	return line;
}

char *uc_ctl_refusal(int err, const char *text)
{
	const char *name = strerrorname_np(err);

	return as_line(
		json_pack("{sb ss ss}", "ok", 0, "error", text, "errno", name ? name : "EIO"));
}

/* ---- requests ---- */

static const struct uc_ctl_op *find(const char *name)
{
	const struct uc_ctl_op *op = uc_ctl_ops;

	while (op->name && strcmp(op->name, name))
		op++;
	return op->name ? op : NULL;
}

static int refuse_op(char error[UC_CTL_ERROR_SIZE])
{
	size_t used = (size_t)snprintf(error, UC_CTL_ERROR_SIZE, "no such op; there are");

	for (const struct uc_ctl_op *op = uc_ctl_ops; op->name && used < UC_CTL_ERROR_SIZE; op++)
		used += (size_t)snprintf(error + used, UC_CTL_ERROR_SIZE - used, " %s", op->name);
	return -ENOSYS;
}

static bool takes(const struct uc_ctl_op *op, const char *key)
{
	for (const char *const *arg = op->args; *arg; arg++)
		if (!strcmp(*arg, key))
			return true;
	return !strcmp(key, "op");
}

static int refuse_arg(const struct uc_ctl_op *op, char error[UC_CTL_ERROR_SIZE])
{
	size_t used = (size_t)snprintf(error, UC_CTL_ERROR_SIZE, "%s takes %s", op->name,
				       op->args[0] ? "only" : "no arguments");

	for (const char *const *arg = op->args; *arg && used < UC_CTL_ERROR_SIZE; arg++)
		used += (size_t)snprintf(error + used, UC_CTL_ERROR_SIZE - used, " %s", *arg);
	return -EINVAL;
}

static int run(struct uc_vm *vm, json_t *request, json_t **result, char error[UC_CTL_ERROR_SIZE])
{
	const char *name = json_string_value(json_object_get(request, "op")), *key;
	const struct uc_ctl_op *op;
	json_t *value;

	if (!name)
		return uc_ctl_refuse(error, EINVAL,
				     "a request is an object with an op: {\"op\":\"status\"}");
	op = find(name);
	if (!op)
		return refuse_op(error);
	json_object_foreach(request, key, value) if (!takes(op, key)) return refuse_arg(op, error);
	return op->run(vm, request, result, error);
}

char *uc_ctl_answer(struct uc_vm *vm, const char *line, size_t bytes)
{
	char error[UC_CTL_ERROR_SIZE] = "";
	json_error_t where;
	json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &where);
	json_t *result = NULL;
	int rc;

	/* jansson's own text quotes the input, which may be cut inside a character. */
	if (!request)
		rc = uc_ctl_refuse(error, EINVAL, "malformed JSON at byte %d", where.position);
	else
		rc = run(vm, request, &result, error);
	json_decref(request);
	if (!rc && !result)
		rc = uc_ctl_refuse(error, ENOMEM, "out of memory");
	if (!rc)
		return as_line(json_pack("{sb so}", "ok", 1, "result", result));
	json_decref(result);
	return uc_ctl_refusal(-rc, error[0] ? error : strerror(-rc));
}
