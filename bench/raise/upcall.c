/* SPDX-License-Identifier: MIT */
/*
 * The worlds of upcall.h. The host has an array for guest memory and a kick that does nothing;
 * affinity sets are there, as in the VMM, and empty.
 */
#include <sched.h>

#include <upcall/route.h>

#include "upcall.h"

#define GUEST_ID  1
#define SENDER_ID 2

/* ---- the host: guest memory is an array, a kick costs nothing ---- */

static void *map_frame(void *ctx, struct uc_domain *d, uint64_t gfn)
{
	struct upcall_world *w = ctx;

	return d == &w->d ? guest_frame(&w->guest, gfn) : w->peer_frame;
}

static void unmap_frame(void *ctx, struct uc_domain *d, void *frame)
{
	(void)ctx, (void)d, (void)frame;
}

static void kick(void *ctx, struct uc_vcpu *v)
{
	(void)ctx, (void)v;
}

static enum uc_run_state run_state(void *ctx, const struct uc_vcpu *v, uint64_t *since)
{
	struct upcall_world *w = ctx;

	*since = 0;
	return __atomic_load_n(&w->running[v->id * 16], __ATOMIC_RELAXED) ? UC_VCPU_RUNNING
									  : UC_VCPU_PREEMPTED;
}

static void relax(void *ctx)
{
	(void)ctx;
	sched_yield();
}

static void notify(struct uc_endpoint *e)
{
	(void)e;
}

static const struct uc_host_ops host_ops = {
	.map_frame = map_frame,
	.unmap_frame = unmap_frame,
	.kick = kick,
	.wake = kick,
	.run_state = run_state,
	.relax = relax,
};

/* ---- a world ---- */

static size_t affinity_size(const struct upcall_world *w)
{
	return (size_t)(w->nr_ports + 2) * ((w->shape->vcpus + 63) / 64) * sizeof(uint64_t);
}

static void init_domain(struct upcall_world *w)
{
	struct uc_domain_config config = {.host = &w->host, .id = GUEST_ID};

	config.vcpus = w->vcpus = must_alloc(w->shape->vcpus * sizeof(*w->vcpus));
	config.nr_vcpus = w->shape->vcpus;
	config.ports = w->ports = must_alloc(w->nr_ports * sizeof(*w->ports));
	config.nr_ports = w->nr_ports;
	config.affinity = w->affinity = must_alloc(affinity_size(w));
	must(!uc_domain_init(&w->d, &config), "uc_domain_init");
}

static void init_peer(struct upcall_world *w)
{
	struct uc_domain_config config = {.host = &w->host, .id = SENDER_ID, .nr_vcpus = 1};

	config.vcpus = w->peer_vcpu = must_alloc(sizeof(*w->peer_vcpu));
	config.ports = w->peer_ports = must_alloc(w->nr_ports * sizeof(*w->peer_ports));
	config.nr_ports = w->nr_ports;
	must(!uc_domain_init(&w->peer, &config), "uc_domain_init");
	/* FIFO, for its number of ports. It has no event words: nobody looks at its events. */
	w->peer_frame = must_alloc(UC_FRAME_SIZE);
	must(!uc_init_control(&w->peer, 0, 0, 0), "uc_init_control");
}

static void boot(struct upcall_world *w, bool fifo)
{
	uint32_t offset, gfn;

	must(!uc_domain_set_shared_info(&w->d, guest_shared_frame(&w->guest)), "set_shared_info");
	for (uint32_t v = 0; v < w->shape->vcpus; v++) {
		gfn = guest_info_frame(&w->guest, v, &offset);
		must(!uc_vcpu_set_info(&w->vcpus[v], gfn, offset), "uc_vcpu_set_info");
	}
	for (uint32_t v = 0; fifo && v < w->shape->vcpus; v++)
		must(!uc_init_control(&w->d, v, guest_control_frame(&w->guest, v), 0),
		     "uc_init_control");
	for (uint32_t page = 0; page < w->guest.pages; page++)
		must(!uc_expand_array(&w->d, guest_event_frame(&w->guest, page)),
		     "uc_expand_array");
}

/* Linux holds an IPI on each vCPU that it uses. Returns the last. */
static uint32_t open_ipis(struct upcall_world *w)
{
	uint32_t port = 0;

	for (uint32_t v = 0; v < w->shape->vcpus; v++)
		must(!uc_bind_ipi(&w->d, v, &port), "uc_bind_ipi");
	return port;
}

static uint32_t open_endpoint(struct upcall_world *w, struct sender *s)
{
	s->endpoint.notify = notify;
	must(!uc_endpoint_open(&s->endpoint, &w->d), "uc_endpoint_open");
	return s->endpoint.port;
}

static uint32_t open_channel(struct upcall_world *w, struct sender *s)
{
	uint32_t port = 0;

	must(!uc_alloc_unbound(&w->d, SENDER_ID, &port), "uc_alloc_unbound");
	must(!uc_bind_interdomain(&w->peer, GUEST_ID, port, &s->port), "uc_bind_interdomain");
	return port;
}

static void open_port(struct upcall_world *w, uint32_t index, const struct upcall_options *o)
{
	struct sender *s = &w->senders[index];
	uint32_t vcpu = vcpu_of(w->shape, index), port;

	if (o->kind == UC_PORT_IPI) {
		must(!uc_bind_ipi(&w->d, vcpu, &s->port), "uc_bind_ipi");
		port = s->port;
	} else {
		port = o->kind == UC_PORT_HOST ? open_endpoint(w, s) : open_channel(w, s);
		must(!uc_bind_vcpu(&w->d, port, vcpu), "uc_bind_vcpu");
	}
	must(port == w->guest.first + index, "ports in order");
	if (o->fifo)
		must(!uc_set_priority(&w->d, port, guest_priority(&w->guest, index)),
		     "uc_set_priority");
	else
		w->guest.vcpus[vcpu].bound[port / 64] |= 1ull << port % 64;
}

static void unmask(void *hypervisor, uint32_t port)
{
	uc_unmask(hypervisor, port);
}

static struct upcall_world *new_world(const struct shape *shape, bool fifo)
{
	struct upcall_world *w = must_alloc(sizeof(*w));

	w->shape = shape;
	w->host = (struct uc_host){
		.ops = &host_ops, .ctx = w, .domains = w->domains, .nr_domains = 3};
	w->guest.first = 1 + shape->vcpus;
	w->nr_ports = w->guest.first + shape->ports;
	w->senders = must_alloc(shape->ports * sizeof(*w->senders));
	w->running = must_alloc(shape->vcpus * 16 * sizeof(*w->running));
	for (uint32_t v = 0; v < shape->vcpus; v++)
		w->running[v * 16] = 1;
	guest_init(&w->guest, shape, w->nr_ports, fifo);
	w->guest.hypervisor = &w->d;
	w->guest.unmask = unmask;
	return w;
}

void *upcall_create(const struct shape *shape, const struct upcall_options *o)
{
	struct upcall_world *w;

	if (1 + shape->vcpus + shape->ports > (o->fifo ? UC_FIFO_PORTS : UC_2L_PORTS))
		return NULL;
	w = new_world(shape, o->fifo);
	init_domain(w);
	init_peer(w);
	boot(w, o->fifo);
	open_ipis(w);
	for (uint32_t i = 0; i < shape->ports; i++)
		open_port(w, i, o);
	if (o->follow)
		must(!uc_domain_set_policy(&w->d, UC_POLICY_FOLLOW), "uc_domain_set_policy");
	for (uint32_t v = 0; v < shape->vcpus; v++)
		guest_consume(&w->guest, v);
	return w;
}

void upcall_destroy(void *world)
{
	struct upcall_world *w = world;

	uc_domain_destroy(&w->d);
	uc_domain_destroy(&w->peer);
	guest_exit(&w->guest);
	must_free(w->vcpus, w->shape->vcpus * sizeof(*w->vcpus));
	must_free(w->ports, w->nr_ports * sizeof(*w->ports));
	must_free(w->affinity, affinity_size(w));
	must_free(w->peer_vcpu, sizeof(*w->peer_vcpu));
	must_free(w->peer_frame, UC_FRAME_SIZE);
	must_free(w->peer_ports, w->nr_ports * sizeof(*w->peer_ports));
	must_free(w->senders, w->shape->ports * sizeof(*w->senders));
	must_free(w->running, w->shape->vcpus * 16 * sizeof(*w->running));
	must_free(w, sizeof(*w));
}
