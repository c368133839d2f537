/* SPDX-License-Identifier: MIT */
/* The ops that every machine has: what it is, its ports, its version, its end. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "vmm/counters.h"
#include "vmm/ctl/ops.h"

/* One port is about 130 bytes of JSON: 1024 stay far below UC_CTL_OUT_MAX, also several times. */
#define PORTS_MAX 1024u

/* A path need not be UTF-8, as JSON must be. */
static json_t *text(const char *s)
{
	json_t *json = s ? json_string(s) : NULL;

	return json ? json : json_null();
}

static double uptime_s(const struct uc_vm *vm)
{
	struct timespec now;
	uint64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - vm->started_ns) /
	     1000000u;
	return (double)ms / 1000;
}

static const char *abi(const struct uc_vm *vm)
{
	return uc_domain_is_fifo(&vm->domain) ? "fifo" : "2-level";
}

int uc_ctl_op_status(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	bool running = __atomic_load_n(&vm->end, __ATOMIC_ACQUIRE) == UC_VM_RUNNING;

	(void)args, (void)error;
	*result = json_pack(
		"{so ss si sf si si sI so ss ss so so so so so so so}", "name",
		text(vm->config->name), "state", running ? "running" : "stopping", "pid",
		(int)getpid(), "uptime_s", uptime_s(vm), "reboots", (int)vm->reboots, "vcpus",
		(int)vm->nr_vcpus, "memory_mib", (json_int_t)(vm->config->memory_bytes >> 20),
		"kernel", text(vm->config->kernel), "abi", abi(vm), "policy",
		uc_policy_name((enum uc_policy)vm->domain.policy), "upcalls",
		uc_counters_upcalls(vm), "events", uc_counters_events(vm), "handed_over",
		uc_counters_handed_over(vm), "delivered", uc_counters_delivered(vm), "watch",
		json_pack("{sI sI}", "looks",
			  (json_int_t)__atomic_load_n(&vm->watch.looks, __ATOMIC_RELAXED), "moved",
			  (json_int_t)__atomic_load_n(&vm->watch.moved, __ATOMIC_RELAXED)),
		"boost",
		json_pack(
			"{ss sb sI sI}", "when",
			uc_boost_when_name((enum uc_boost_when)__atomic_load_n(
				&vm->watch.boost.when, __ATOMIC_RELAXED)),
			"may", __atomic_load_n(&vm->watch.boost.may, __ATOMIC_RELAXED), "count",
			(json_int_t)__atomic_load_n(&vm->watch.boost.count, __ATOMIC_RELAXED),
			"total_us",
			(json_int_t)(__atomic_load_n(&vm->watch.boost.total_ns, __ATOMIC_RELAXED) /
				     1000)),
		"net", uc_counters_net(vm));
	return *result ? 0 : -ENOMEM;
}

int uc_ctl_op_ports(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	static const struct uc_ctl_uint from_arg = {"from", 1, UC_FIFO_PORTS - 1, 1};
	static const struct uc_ctl_uint count_arg = {"count", 1, PORTS_MAX, PORTS_MAX};
	uint32_t from, count;
	json_t *ports;
	int rc = uc_ctl_arg_uint(args, &from_arg, &from, error);

	if (!rc)
		rc = uc_ctl_arg_uint(args, &count_arg, &count, error);
	if (rc)
		return rc;
	ports = uc_counters_ports(vm, &from, count);
	*result = json_pack("{ss so}", "abi", abi(vm), "ports", ports);
	if (*result && from)
		json_object_set_new(*result, "next", json_integer(from));
	return *result ? 0 : -ENOMEM;
}

int uc_ctl_op_version(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	json_t *ops = json_array();

	(void)vm, (void)args, (void)error;
	for (const struct uc_ctl_op *op = uc_ctl_ops; op->name; op++)
		json_array_append_new(ops, json_string(op->name));
	*result = json_pack("{ss si so}", "version", UC_VERSION, "protocol", UC_CTL_PROTOCOL, "ops",
			    ops);
	return *result ? 0 : -ENOMEM;
}

int uc_ctl_op_quit(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	(void)args, (void)error;
	uc_vm_stop(vm, UC_VM_QUIT);
	*result = json_object();
	return *result ? 0 : -ENOMEM;
}
