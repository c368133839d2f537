/* SPDX-License-Identifier: MIT */
#include "vmm/counters.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *port_json(uint32_t port, const struct uc_port_info *info)
{
	static const char *const kinds[] = {
		[UC_PORT_FREE] = "free",       [UC_PORT_RESERVED] = "reserved",
		[UC_PORT_UNBOUND] = "unbound", [UC_PORT_INTERDOMAIN] = "interdomain",
		[UC_PORT_HOST] = "host",       [UC_PORT_VIRQ] = "virq",
		[UC_PORT_IPI] = "ipi",
	};

	return json_pack("{si ss si si si sI sb sb}", "port", (int)port, "kind", kinds[info->kind],
			 "index", (int)info->index, "vcpu", (int)info->vcpu, "priority",
			 (int)info->priority, "events", (json_int_t)info->events, "pending",
			 info->pending, "masked", info->masked);
}

static json_t *counters_json(struct uc_vm *vm, int tag)
{
	json_t *ports = json_array(), *upcalls = json_array();
	struct uc_port_info info;

	for (uint32_t port = 1; port < uc_ports_valid(&vm->domain); port++)
		if (!uc_port_info(&vm->domain, port, &info) && info.kind != UC_PORT_FREE)
			json_array_append_new(ports, port_json(port, &info));
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		json_array_append_new(upcalls,
				      json_integer((json_int_t)__atomic_load_n(
					      &vm->evtchn_vcpus[i].upcalls, __ATOMIC_RELAXED)));
	return json_pack("{s{si ss so so}}", "counters", "tag", tag, "abi",
			 uc_domain_is_fifo(&vm->domain) ? "fifo" : "2-level", "ports", ports,
			 "upcalls", upcalls);
}

void uc_counters_print(struct uc_vm *vm, int tag)
{
	json_t *json;
	char *text;

	if (!vm->config->counters)
		return;
	json = counters_json(vm, tag);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (text)
		dprintf(STDERR_FILENO, "%s\n", text);
	free(text);
	json_decref(json);
}
