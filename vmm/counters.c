/* SPDX-License-Identifier: MIT */
#include "vmm/counters.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/dev/net.h"
#include "vmm/devices.h"

static json_t *port_json(uint32_t port, const struct uc_port_info *info)
{
	static const char *const kinds[] = {
		[UC_PORT_FREE] = "free",       [UC_PORT_RESERVED] = "reserved",
		[UC_PORT_UNBOUND] = "unbound", [UC_PORT_INTERDOMAIN] = "interdomain",
		[UC_PORT_HOST] = "host",       [UC_PORT_VIRQ] = "virq",
		[UC_PORT_IPI] = "ipi",	       [UC_PORT_PIRQ] = "pirq",
	};

	return json_pack("{si ss si si si sI sb sb}", "port", (int)port, "kind", kinds[info->kind],
			 "index", (int)info->index, "vcpu", (int)info->vcpu, "priority",
			 (int)info->priority, "events", (json_int_t)info->events, "pending",
			 info->pending, "masked", info->masked);
}

json_t *uc_counters_ports(struct uc_vm *vm, uint32_t *from, uint32_t count)
{
	json_t *ports = json_array();
	struct uc_port_info info;
	uint32_t port = *from;

	for (; port < uc_ports_valid(&vm->domain) && json_array_size(ports) < count; port++)
		if (!uc_port_info(&vm->domain, port, &info) && info.kind != UC_PORT_FREE)
			json_array_append_new(ports, port_json(port, &info));
	*from = port < uc_ports_valid(&vm->domain) ? port : 0;
	return ports;
}

/* One counter of every vCPU, `offset` into its structure. */
static json_t *per_vcpu(struct uc_vm *vm, size_t offset)
{
	json_t *values = json_array();

	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		const uint64_t *at = (const void *)((const char *)&vm->evtchn_vcpus[i] + offset);

		json_array_append_new(
			values, json_integer((json_int_t)__atomic_load_n(at, __ATOMIC_RELAXED)));
	}
	return values;
}

static json_t *per_vcpu_sum(struct uc_vm *vm, uint64_t (*sum)(const struct uc_vcpu *v))
{
	json_t *values = json_array();

	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		json_array_append_new(values, json_integer((json_int_t)sum(&vm->evtchn_vcpus[i])));
	return values;
}

json_t *uc_counters_upcalls(struct uc_vm *vm)
{
	return per_vcpu(vm, offsetof(struct uc_vcpu, upcalls));
}

json_t *uc_counters_events(struct uc_vm *vm)
{
	return per_vcpu_sum(vm, uc_vcpu_linked);
}

json_t *uc_counters_handed_over(struct uc_vm *vm)
{
	return per_vcpu(vm, offsetof(struct uc_vcpu, handed_over));
}

json_t *uc_counters_delivered(struct uc_vm *vm)
{
	return per_vcpu_sum(vm, uc_vcpu_delivered);
}

static json_t *net_stats_json(const struct uc_net_stats *s)
{
	return json_pack(
		"{sI sI sI sI sI sI sI sI sI sI sI}", "tx_packets", (json_int_t)s->tx_packets,
		"tx_bytes", (json_int_t)s->tx_bytes, "tx_errors", (json_int_t)s->tx_errors,
		"tx_dropped", (json_int_t)s->tx_dropped, "tx_raised", (json_int_t)s->tx_raised,
		"rx_packets", (json_int_t)s->rx_packets, "rx_bytes", (json_int_t)s->rx_bytes,
		"rx_errors", (json_int_t)s->rx_errors, "rx_dropped", (json_int_t)s->rx_dropped,
		"rx_waits", (json_int_t)s->rx_waits, "rx_raised", (json_int_t)s->rx_raised);
}

static json_t *net_queue_json(const struct uc_net_queue_status *q)
{
	json_t *json = net_stats_json(&q->stats);

	json_object_set_new(json, "tx_port", json_integer(q->tx_port));
	json_object_set_new(json, "rx_port", json_integer(q->rx_port));
	json_object_set_new(json, "broken", json_boolean(q->broken));
	return json;
}

json_t *uc_counters_net(struct uc_vm *vm)
{
	struct uc_net *net = vm->devices ? uc_devices_net(vm->devices) : NULL;
	json_t *queues = json_array();
	struct uc_net_status status;

	if (!net) {
		json_decref(queues);
		return json_null();
	}
	uc_net_status(net, &status);
	for (uint32_t i = 0; i < status.nr_queues; i++)
		json_array_append_new(queues, net_queue_json(&status.queues[i]));
	return json_pack("{so so si si}", "queues", queues, "ended", net_stats_json(&status.ended),
			 "connections_ended", (int)status.connections_ended, "queues_broken",
			 (int)status.queues_broken);
}

static json_t *counters_json(struct uc_vm *vm, int tag)
{
	uint32_t from = 1;

	return json_pack("{s{si ss so so so so}}", "counters", "tag", tag, "abi",
			 uc_domain_is_fifo(&vm->domain) ? "fifo" : "2-level", "ports",
			 uc_counters_ports(vm, &from, UINT32_MAX), "upcalls",
			 uc_counters_upcalls(vm), "delivered", uc_counters_delivered(vm), "net",
			 uc_counters_net(vm));
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
