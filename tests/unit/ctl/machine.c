/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	(void)ctx, (void)d, (void)gfn;
	return NULL;
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx, (void)d, (void)frame;
}

static void no_kick(void *ctx, struct uc_vcpu *v)
{
	(void)ctx, (void)v;
}

static const struct uc_host_ops host_ops = {
	.map_frame = map_frame, .unmap_frame = unmap_frame, .kick = no_kick, .wake = no_kick};

static int bind_ports(struct uc_domain *d, uint32_t ports)
{
	uint32_t port;
	int rc = 0;

	if (ports > 0)
		rc = uc_bind_ipi(d, 1, &port);
	if (!rc && ports > 1)
		rc = uc_bind_virq(d, VIRQ_TIMER, 0, &port);
	for (uint32_t i = 2; i < ports && !rc; i++)
		rc = uc_alloc_unbound(d, 0, &port);
	return rc;
}

static int open_domain(struct uc_vm *vm)
{
	struct uc_domain_config config = {.host = &vm->host,
					  .id = UC_VM_DOMID,
					  .nr_vcpus = MACHINE_VCPUS,
					  .nr_ports = MACHINE_PORTS};

	vm->host = (struct uc_host){
		.ops = &host_ops, .ctx = vm, .domains = vm->domains, .nr_domains = UC_VM_DOMID + 1};
	config.ports = vm->ports = aligned_alloc(64, MACHINE_PORTS * sizeof(*vm->ports));
	config.vcpus = vm->evtchn_vcpus = aligned_alloc(64,
							MACHINE_VCPUS * sizeof(*vm->evtchn_vcpus));
	if (!vm->ports || !vm->evtchn_vcpus)
		return -ENOMEM;
	memset(vm->ports, 0, MACHINE_PORTS * sizeof(*vm->ports));
	memset(vm->evtchn_vcpus, 0, MACHINE_VCPUS * sizeof(*vm->evtchn_vcpus));
	return uc_domain_init(&vm->domain, &config);
}

int machine_open(struct machine *m, const char *name, uint32_t ports)
{
	struct timespec now;
	int rc;

	*m = (struct machine){.config = {.name = name,
					 .kernel = "/boot/k\xffrnel", /* no UTF-8 */
					 .cpus = MACHINE_VCPUS,
					 .memory_bytes = 512ull << 20}};
	clock_gettime(CLOCK_MONOTONIC, &now);
	m->vm.config = &m->config;
	m->vm.nr_vcpus = MACHINE_VCPUS;
	m->vm.started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	m->vm.stop_event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = open_domain(&m->vm);
	if (!rc)
		rc = bind_ports(&m->vm.domain, ports);
	return rc ? rc : uc_control_open(&m->control);
}

void machine_close(struct machine *m)
{
	uc_control_close(&m->control);
	uc_domain_destroy(&m->vm.domain);
	close(m->vm.stop_event_fd);
	free(m->vm.ports);
	free(m->vm.evtchn_vcpus);
}
