/* SPDX-License-Identifier: MIT */
/* The ops that change where events go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/ctl/ops.h"
#include "vmm/routing.h"
#include "vmm/trace.h"

static const struct uc_ctl_uint port_arg = {"port", 1, UC_FIFO_PORTS - 1, 0};

/* The library's refusals, for a person. */
static int refuse(int rc, uint32_t port, char *error)
{
	switch (rc) {
	case -EOPNOTSUPP:
		return uc_ctl_refuse(
			error, EOPNOTSUPP,
			"the guest uses the 2-level ABI, where an event that arrives on "
			"another vCPU is ignored; boot it without xen.fifo_events=0");
	case -ENODEV:
		return uc_ctl_refuse(
			error, ENODEV,
			"none of these vCPUs is online in the guest; name one that is");
	default:
		return uc_ctl_refuse(
			error, -rc,
			"port %u is free, or belongs to one vCPU (an IPI or a timer) and "
			"cannot move; `ports` lists them",
			port);
	}
}

int uc_ctl_op_policy(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	const char *name = json_string_value(json_object_get(args, "policy"));
	enum uc_policy policy;
	uint32_t port;
	int rc = uc_ctl_arg_uint(args, &port_arg, &port, error);

	if (rc)
		return rc;
	if (!name || uc_policy_parse(name, &policy)) {
		if (!name || strcmp(name, "default") || !port)
			return uc_ctl_refuse(error, EINVAL,
					     "policy: give pinned, follow, round-robin or random%s",
					     port ? ", or default" : "");
		policy = UC_POLICIES;
	}
	rc = port ? uc_routing_set_port_policy(vm, port, policy)
		  : uc_routing_set_policy(vm, policy);
	if (rc)
		return refuse(rc, port, error);
	uc_trace(UC_TRACE_POLICY, 0, port, policy);
	*result = json_pack("{ss}", "policy", name);
	return 0;
}

int uc_ctl_op_boost(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	const char *name = json_string_value(json_object_get(args, "when"));
	enum uc_boost_when when;

	if (!name || uc_boost_when_parse(name, &when))
		return uc_ctl_refuse(error, EINVAL, "when: give follow, never or always");
	__atomic_store_n(&vm->watch.boost.when, when, __ATOMIC_RELAXED);
	*result = json_pack("{ss}", "when", name);
	return 0;
}

int uc_ctl_op_affinity(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	const json_t *given = json_object_get(args, "vcpus");
	const char *list = json_string_value(given);
	uint64_t bits[UC_ROUTING_WORDS];
	char number[16];
	uint32_t port;
	bool all;
	int rc = uc_ctl_arg_uint(args, &port_arg, &port, error);

	if (rc)
		return rc;
	/* `vcpus=2` arrives as a number. */
	if (json_is_integer(given)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(given));
		list = number;
	}
	all = list && !strcmp(list, "all");
	if (!list || (!all && uc_vcpus_parse(list, vm->nr_vcpus, bits)))
		return uc_ctl_refuse(error, EINVAL,
				     "vcpus: give all, or a list such as 0,2-3 of vCPUs 0 to %u",
				     vm->nr_vcpus - 1);
	rc = port ? uc_port_set_affinity(&vm->domain, port, all ? NULL : bits)
		  : uc_domain_set_affinity(&vm->domain, all ? NULL : bits);
	if (rc)
		return refuse(rc, port, error);
	*result = json_pack("{ss}", "vcpus", list);
	return 0;
}

int uc_ctl_op_priority(struct uc_vm *vm, const json_t *args, json_t **result, char *error)
{
	static const struct uc_ctl_uint priority_arg = {"priority", 0, UC_FIFO_PRIORITY_MIN,
							UC_FIFO_PRIORITY_DEFAULT};
	uint32_t port, priority;
	int rc = uc_ctl_arg_uint(args, &port_arg, &port, error);

	if (!rc)
		rc = uc_ctl_arg_uint(args, &priority_arg, &priority, error);
	if (rc)
		return rc;
	rc = uc_set_priority(&vm->domain, port, priority);
	if (rc)
		return rc == -ENOSYS ? refuse(-EOPNOTSUPP, port, error) : refuse(rc, port, error);
	*result = json_pack("{si}", "priority", (int)priority);
	return 0;
}
