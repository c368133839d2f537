/* SPDX-License-Identifier: MIT */
#include "fifo_guest.h"

#include <stdlib.h>

#include <xen/xen.h>

#include <xen/vcpu.h>

#define AREA_GPA(vcpu) (0x200000ull + (vcpu)*64)

static void on_notify(struct uc_endpoint *e)
{
	(void)e;
}

static void on_event(void *ctx, uint32_t vcpu, uint32_t port)
{
	struct fifo_guest *g = ctx;

	(void)vcpu;
	uc_guest_clear(&g->guest, port);
	g->handled++;
}

static void on_unmask(void *ctx, uint32_t port)
{
	struct fifo_guest *g = ctx;

	uc_unmask(&g->vm->domain, port);
}

static const struct uc_guest_ops guest_ops = {.unmask = on_unmask, .handle = on_event};

static void make_vcpu(struct fifo_guest *g, uint32_t i)
{
	struct uc_domain *d = &g->vm->domain;
	uint32_t port;

	assert_int_equal(uc_init_control(d, i, FREE_GFN + i, 0), 0);
	assert_int_equal(uc_bind_ipi(d, i, &port), 0); /* without one it is not live */
	uc_vm_set_runstate(g->vm, i, AREA_GPA(i));
	assert_non_null(g->vm->vcpus[i].runstate);
	g->vcpus[i] = (struct uc_guest_vcpu){.guest = &g->guest,
					     .id = i,
					     .info = d->vcpus[i].info,
					     .control = ram(g->m, (FREE_GFN + i) * UC_PAGE_SIZE)};
}

int fifo_guest_new(void **state)
{
	struct fifo_guest *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	machine_new((void **)&g->m);
	g->vm = &g->m->vm;
	g->m->cookie = g;
	for (uint32_t i = 0; i < VCPUS; i++)
		make_vcpu(g, i);
	assert_int_equal(uc_expand_array(&g->vm->domain, FREE_GFN + VCPUS), 0);
	g->guest = (struct uc_guest){.ops = &guest_ops, .ctx = g, .fifo = true};
	g->guest.event_page[0] = ram(g->m, (FREE_GFN + VCPUS) * UC_PAGE_SIZE);
	g->guest.nr_words = UC_FIFO_WORDS_PER_PAGE;
	for (uint32_t i = 0; i < PORTS; i++) {
		g->ends[i].notify = on_notify;
		assert_int_equal(uc_endpoint_open(&g->ends[i], &g->vm->domain), 0);
	}
	for (uint32_t i = 0; i < VCPUS; i++)
		assert_false(waits_at(g, i));
	*state = g;
	return 0;
}

int fifo_guest_free(void **state)
{
	struct fifo_guest *g = *state;

	uc_vm_stop(g->vm, UC_VM_POWEROFF);
	uc_watch_join(g->vm);
	for (uint32_t i = 0; i < PORTS; i++)
		uc_endpoint_close(&g->ends[i]);
	machine_free((void **)&g->m);
	free(g);
	return 0;
}

static void enter(struct fifo_guest *g, uint32_t vcpu, int state)
{
	__atomic_store_n(&area_of(g, vcpu)->state, state, __ATOMIC_RELAXED);
	__atomic_store_n(&g->vm->vcpus[vcpu].inside, 1, __ATOMIC_RELAXED);
}

void set_outside(struct fifo_guest *g, uint32_t vcpu)
{
	__atomic_store_n(&g->vm->vcpus[vcpu].inside, 0, __ATOMIC_RELAXED);
}

void set_running(struct fifo_guest *g, uint32_t vcpu)
{
	enter(g, vcpu, RUNSTATE_running);
}

void set_preempted(struct fifo_guest *g, uint32_t vcpu, uint64_t since)
{
	__atomic_store_n(&area_of(g, vcpu)->state_entry_time, since, __ATOMIC_RELAXED);
	enter(g, vcpu, RUNSTATE_runnable);
}

struct vcpu_runstate_info *area_of(struct fifo_guest *g, uint32_t vcpu)
{
	return ram(g->m, AREA_GPA(vcpu));
}

void raise_port(struct fifo_guest *g, uint32_t n)
{
	assert_int_equal(uc_endpoint_raise(&g->ends[n]), 0);
}

bool waits_at(const struct fifo_guest *g, uint32_t vcpu)
{
	return uc_vcpu_movable(&g->vm->evtchn_vcpus[vcpu]);
}

void take_at(struct fifo_guest *g, uint32_t vcpu)
{
	uc_guest_upcall(&g->vcpus[vcpu]);
}
