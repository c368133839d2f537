/* SPDX-License-Identifier: MIT */
/* The life of ports by EVTCHNOPs as a guest makes them: each success and each errno Xen gives. */
#include "fixture.h"

#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

static int alloc_unbound(struct machine *m, uint16_t dom, uint16_t remote, uint32_t *port)
{
	struct evtchn_alloc_unbound a = {.dom = dom, .remote_dom = remote};
	int rc = OP(m, 0, EVTCHNOP_alloc_unbound, &a);

	*port = a.port;
	return rc;
}

static int bind_interdomain(struct machine *m, uint16_t dom, uint32_t remote, uint32_t *port)
{
	struct evtchn_bind_interdomain a = {.remote_dom = dom, .remote_port = remote};
	int rc = OP(m, 0, EVTCHNOP_bind_interdomain, &a);

	*port = a.local_port;
	return rc;
}

static int bind_virq(struct machine *m, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_virq a = {.virq = virq, .vcpu = vcpu};
	int rc = OP(m, 0, EVTCHNOP_bind_virq, &a);

	*port = a.port;
	return rc;
}

static int bind_ipi(struct machine *m, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_ipi a = {.vcpu = vcpu};
	int rc = OP(m, 0, EVTCHNOP_bind_ipi, &a);

	*port = a.port;
	return rc;
}

static int bind_vcpu(struct machine *m, uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu a = {.port = port, .vcpu = vcpu};

	return OP(m, 0, EVTCHNOP_bind_vcpu, &a);
}

static int set_priority(struct machine *m, uint32_t port, uint32_t priority)
{
	struct evtchn_set_priority a = {.port = port, .priority = priority};

	return OP(m, 0, EVTCHNOP_set_priority, &a);
}

static int status(struct machine *m, uint32_t port, struct evtchn_status *s)
{
	*s = (struct evtchn_status){.dom = DOMID_SELF, .port = port};
	return OP(m, 0, EVTCHNOP_status, s);
}

/* close, send, unmask take just a port. */
static int on_port(struct machine *m, uint32_t cmd, uint32_t port)
{
	struct evtchn_close a = {.port = port};

	return OP(m, 0, cmd, &a);
}

static void alloc_unbound_gives_the_lowest_free_port(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	for (uint32_t want = 1; want < 4; want++) {
		assert_int_equal(alloc_unbound(a, DOMID_SELF, ID_B, &port), 0);
		assert_int_equal(port, want);
	}
	assert_int_equal(on_port(a, EVTCHNOP_close, 2), 0);
	assert_int_equal(alloc_unbound(a, ID_A, ID_B, &port), 0);
	assert_int_equal(port, 2);
	assert_int_equal(uc_ports_valid(&a->d), 4);
}

static void alloc_unbound_for_another_domain_is_refused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	assert_int_equal(alloc_unbound(a, ID_B, ID_A, &port), -XEN_EPERM);
	assert_int_equal(alloc_unbound(a, 0, ID_A, &port), -XEN_EPERM);
	assert_int_equal(alloc_unbound(a, ID_NONE, ID_A, &port), -XEN_ESRCH);
	assert_int_equal(alloc_unbound(a, 0x7ff4, ID_A, &port), -XEN_ESRCH);
	assert_int_equal(uc_ports_valid(&a->d), 1);
}

static void the_2l_abi_has_4095_ports(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	for (uint32_t i = 1; i < UC_2L_PORTS; i++)
		assert_int_equal(alloc_unbound(a, DOMID_SELF, ID_B, &port), 0);
	assert_int_equal(port, UC_2L_PORTS - 1);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(alloc_unbound(a, DOMID_SELF, ID_B, &port), -XEN_ENOSPC);
	assert_int_equal(bind_ipi(a, 0, &port), -XEN_ENOSPC);
	assert_int_equal(bind_virq(a, VIRQ_DEBUG, 0, &port), -XEN_ENOSPC);
	/* XSA-496: the failure left nothing behind. */
	assert_int_equal(on_port(a, EVTCHNOP_close, 77), 0);
	assert_int_equal(bind_virq(a, VIRQ_DEBUG, 0, &port), 0);
	assert_int_equal(port, 77);
}

static void the_fifo_abi_has_as_many_ports_as_the_host_gave(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	start_fifo(a, 0);
	for (uint32_t i = 1; i < PORTS; i++)
		assert_int_equal(alloc_unbound(a, DOMID_SELF, ID_B, &port), 0);
	assert_int_equal(port, PORTS - 1);
	assert_int_equal(alloc_unbound(a, DOMID_SELF, ID_B, &port), -XEN_ENOSPC);
	assert_int_equal(on_port(a, EVTCHNOP_close, 5000), 0);
	assert_int_equal(alloc_unbound(a, DOMID_SELF, ID_B, &port), 0);
	assert_int_equal(port, 5000);
}

static void bind_interdomain_joins_both_ends(void **state)
{
	struct world *w = *state;
	struct evtchn_status s;
	uint32_t remote, port;

	alloc_unbound(w->b, DOMID_SELF, ID_A, &remote);
	assert_int_equal(alloc_unbound(w->a, DOMID_SELF, ID_B, &port), 0);
	assert_int_equal(bind_interdomain(w->a, ID_B, remote, &port), 0);
	assert_int_equal(port, 2);
	assert_int_equal(status(w->a, port, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_interdomain);
	assert_int_equal(s.u.interdomain.dom, ID_B);
	assert_int_equal(s.u.interdomain.port, remote);
	assert_int_equal(status(w->b, remote, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_interdomain);
	assert_int_equal(s.u.interdomain.dom, ID_A);
	assert_int_equal(s.u.interdomain.port, port);
}

static void bind_interdomain_can_join_a_domain_to_itself(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	uint32_t remote, port;

	assert_int_equal(alloc_unbound(a, DOMID_SELF, DOMID_SELF, &remote), 0);
	assert_int_equal(bind_interdomain(a, DOMID_SELF, remote, &port), 0);
	assert_int_not_equal(port, remote);
	assert_int_equal(on_port(a, EVTCHNOP_close, port), 0);
	assert_int_equal(status(a, remote, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_unbound);
	assert_int_equal(s.u.unbound.dom, ID_A);
}

static void bind_interdomain_refuses_what_is_not_for_it(void **state)
{
	struct world *w = *state;
	uint32_t remote, virq, port, valid;

	alloc_unbound(w->b, DOMID_SELF, ID_B, &remote);
	bind_virq(w->b, VIRQ_TIMER, 0, &virq);
	valid = uc_ports_valid(&w->a->d);
	assert_int_equal(bind_interdomain(w->a, ID_NONE, 1, &port), -XEN_ESRCH);
	assert_int_equal(bind_interdomain(w->a, 0, 1, &port), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(w->a, ID_B, 0, &port), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(w->a, ID_B, 3, &port), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(w->a, ID_B, UINT32_MAX, &port), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(w->a, ID_B, remote, &port), -XEN_EINVAL);
	assert_int_equal(bind_interdomain(w->a, ID_B, virq, &port), -XEN_EINVAL);
	assert_int_equal(uc_ports_valid(&w->a->d), valid);
}

static void bind_interdomain_refuses_a_joined_port(void **state)
{
	struct world *w = *state;
	uint32_t remote, port;

	alloc_unbound(w->b, DOMID_SELF, ID_A, &remote);
	assert_int_equal(bind_interdomain(w->a, ID_B, remote, &port), 0);
	assert_int_equal(bind_interdomain(w->a, ID_B, remote, &port), -XEN_EINVAL);
}

static void bind_interdomain_does_not_take_the_free_port_it_names(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	alloc_unbound(a, DOMID_SELF, DOMID_SELF, &port);
	assert_int_equal(on_port(a, EVTCHNOP_close, port), 0);
	assert_int_equal(bind_interdomain(a, DOMID_SELF, port, &port), -XEN_EINVAL);
}

static void bind_virq_is_one_port_per_vcpu(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	uint32_t port[2], again;

	assert_int_equal(bind_virq(a, VIRQ_TIMER, 0, &port[0]), 0);
	assert_int_equal(bind_virq(a, VIRQ_TIMER, 3, &port[1]), 0);
	assert_int_equal(bind_virq(a, VIRQ_TIMER, 3, &again), -XEN_EEXIST);
	assert_int_equal(status(a, port[1], &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_virq);
	assert_int_equal(s.vcpu, 3);
	assert_int_equal(s.u.virq, VIRQ_TIMER);
	assert_int_equal(on_port(a, EVTCHNOP_close, port[1]), 0);
	assert_int_equal(bind_virq(a, VIRQ_TIMER, 3, &again), 0);
}

static void bind_virq_refuses_bad_numbers_and_global_virqs(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	assert_int_equal(bind_virq(a, NR_VIRQS, 0, &port), -XEN_EINVAL);
	assert_int_equal(bind_virq(a, UINT32_MAX, 0, &port), -XEN_EINVAL);
	assert_int_equal(bind_virq(a, VIRQ_TIMER, VCPUS, &port), -XEN_ENOENT);
	assert_int_equal(bind_virq(a, VIRQ_TIMER, UINT32_MAX, &port), -XEN_ENOENT);
	assert_int_equal(bind_virq(a, VIRQ_ARGO, 1, &port), -XEN_EINVAL);
	assert_int_equal(bind_virq(a, VIRQ_DOM_EXC, 1, &port), -XEN_EINVAL);
	assert_int_equal(bind_virq(a, VIRQ_DOM_EXC, 0, &port), -XEN_EBUSY);
	assert_int_equal(bind_virq(a, VIRQ_CON_RING, 0, &port), -XEN_EBUSY);
	assert_int_equal(uc_ports_valid(&a->d), 1);
}

static void bind_ipi_names_a_vcpu(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	uint32_t port;

	assert_int_equal(bind_ipi(a, 2, &port), 0);
	assert_int_equal(status(a, port, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_ipi);
	assert_int_equal(s.vcpu, 2);
	assert_int_equal(bind_ipi(a, VCPUS, &port), -XEN_ENOENT);
}

static void close_refuses_ports_that_are_not_open(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(on_port(a, EVTCHNOP_close, 0), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_close, port + 1), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_close, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_close, port), 0);
	assert_int_equal(on_port(a, EVTCHNOP_close, port), -XEN_EINVAL);
}

static void close_leaves_the_peer_unbound_for_a_rebind(void **state)
{
	struct world *w = *state;
	struct evtchn_status s;
	uint32_t remote, port;

	alloc_unbound(w->b, DOMID_SELF, ID_A, &remote);
	bind_interdomain(w->a, ID_B, remote, &port);
	assert_int_equal(on_port(w->a, EVTCHNOP_close, port), 0);
	assert_int_equal(status(w->a, port, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_closed);
	assert_int_equal(status(w->b, remote, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_unbound);
	assert_int_equal(s.u.unbound.dom, ID_A);
	assert_int_equal(on_port(w->b, EVTCHNOP_send, remote), 0);
	assert_int_equal(bind_interdomain(w->a, ID_B, remote, &port), 0);
}

static void send_refuses_ports_that_cannot_send(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t virq, free;

	bind_virq(a, VIRQ_TIMER, 0, &virq);
	bind_ipi(a, 0, &free);
	on_port(a, EVTCHNOP_close, free);
	assert_int_equal(on_port(a, EVTCHNOP_send, 0), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_send, virq), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_send, free), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_send, free + 1), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_send, UINT32_MAX), -XEN_EINVAL);
}

static void status_reports_unbound_and_reserved_ports(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	uint32_t port;

	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(status(a, port, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_unbound);
	assert_int_equal(s.u.unbound.dom, ID_B);
	assert_int_equal(status(a, 0, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_closed);
	assert_int_equal(status(a, port + 1, &s), -XEN_EINVAL);
}

static void status_of_another_domain_is_refused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s = {.dom = ID_B, .port = 0};

	assert_int_equal(OP(a, 0, EVTCHNOP_status, &s), -XEN_EPERM);
	s.dom = ID_NONE;
	assert_int_equal(OP(a, 0, EVTCHNOP_status, &s), -XEN_ESRCH);
}

static void status_shows_a_host_end_point_as_domain_0(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	assert_int_equal(status(a, port, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_interdomain);
	assert_int_equal(s.u.interdomain.dom, 0);
}

static void bind_vcpu_refuses_ipis_timers_and_closed_ports(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t ipi, timer, free;

	bind_ipi(a, 1, &ipi);
	bind_virq(a, VIRQ_TIMER, 1, &timer);
	bind_ipi(a, 1, &free);
	on_port(a, EVTCHNOP_close, free);
	assert_int_equal(bind_vcpu(a, ipi, 2), -XEN_EINVAL);
	assert_int_equal(bind_vcpu(a, timer, 2), -XEN_EINVAL);
	assert_int_equal(bind_vcpu(a, free, 2), -XEN_EINVAL);
	assert_int_equal(bind_vcpu(a, 0, 2), -XEN_EINVAL);
	assert_int_equal(bind_vcpu(a, free + 1, 2), -XEN_EINVAL);
}

static void bind_vcpu_moves_what_may_move(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	uint32_t port, argo;

	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(bind_virq(a, VIRQ_ARGO, 0, &argo), 0);
	assert_int_equal(bind_vcpu(a, port, VCPUS), -XEN_ENOENT);
	assert_int_equal(bind_vcpu(a, port, 3), 0);
	assert_int_equal(bind_vcpu(a, argo, 2), 0);
	assert_int_equal(status(a, port, &s), 0);
	assert_int_equal(s.vcpu, 3);
	assert_int_equal(status(a, argo, &s), 0);
	assert_int_equal(s.vcpu, 2);
	/* A domain VIRQ's table entry stays on vCPU 0 wherever the port points. */
	assert_int_equal(on_port(a, EVTCHNOP_close, argo), 0);
	assert_int_equal(bind_virq(a, VIRQ_ARGO, 0, &argo), 0);
}

static void a_closed_port_is_bound_to_vcpu_0_again(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct evtchn_status s;
	uint32_t port;

	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	bind_vcpu(a, port, 3);
	on_port(a, EVTCHNOP_close, port);
	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(status(a, port, &s), 0);
	assert_int_equal(s.vcpu, 0);
}

static void set_priority_is_unknown_to_the_2l_abi(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(set_priority(a, port, 3), -XEN_ENOSYS);
	assert_int_equal(set_priority(a, 0, 3), -XEN_ENOSYS);
	assert_int_equal(set_priority(a, port + 1, 3), -XEN_EINVAL);
}

static void set_priority_checks_port_and_priority(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	uint32_t port;

	start_fifo(a, 1);
	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(set_priority(a, port, 15), 0);
	assert_int_equal(set_priority(a, port, 16), -XEN_EINVAL);
	assert_int_equal(set_priority(a, port, 256), -XEN_EINVAL);
	assert_int_equal(set_priority(a, port, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(info.priority, 15);
	assert_int_equal(set_priority(a, 0, 3), -XEN_EACCES);
	on_port(a, EVTCHNOP_close, port);
	assert_int_equal(set_priority(a, port, 3), -XEN_EACCES);
	assert_int_equal(set_priority(a, port + 1, 3), -XEN_EINVAL);
}

static void priority_is_reset_when_a_port_is_reused(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	uint32_t port;

	start_fifo(a, 1);
	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	set_priority(a, port, 2);
	on_port(a, EVTCHNOP_close, port);
	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(info.priority, UC_FIFO_PRIORITY_DEFAULT);
}

static void unmask_takes_any_allocated_port(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port;

	start_2l(a);
	alloc_unbound(a, DOMID_SELF, ID_B, &port);
	uc_guest_mask(&a->guest, port);
	assert_int_equal(on_port(a, EVTCHNOP_unmask, port), 0);
	assert_false(uc_guest_masked(&a->guest, port));
	assert_int_equal(on_port(a, EVTCHNOP_unmask, 0), 0);
	assert_int_equal(on_port(a, EVTCHNOP_unmask, port + 1), -XEN_EINVAL);
	assert_int_equal(on_port(a, EVTCHNOP_unmask, UINT32_MAX), -XEN_EINVAL);
}

static void unknown_operations_are_enosys(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint8_t arg[64] = {0};

	assert_int_equal(OP(a, 0, 15, arg), -XEN_ENOSYS);
	assert_int_equal(OP(a, 0, 100, arg), -XEN_ENOSYS);
	assert_int_equal(OP(a, 0, UINT32_MAX, arg), -XEN_ENOSYS);
}

static void destroying_a_domain_unbinds_its_peers(void **state)
{
	struct world *w = *state;
	struct machine *b = w->b;
	struct uc_domain_config again = {.host = &w->host, .id = ID_B};
	struct evtchn_status s;
	uint32_t remote, port;

	alloc_unbound(w->a, DOMID_SELF, ID_B, &port);
	bind_interdomain(b, ID_A, port, &remote);
	uc_domain_destroy(&b->d);
	assert_null(w->host.domains[ID_B]);
	assert_int_equal(status(w->a, port, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_unbound);
	assert_int_equal(s.u.unbound.dom, ID_B);
	assert_int_equal(on_port(w->a, EVTCHNOP_send, port), 0);

	b->d = (struct uc_domain){0};
	again.vcpus = b->vcpus;
	again.nr_vcpus = VCPUS;
	again.ports = b->ports;
	again.nr_ports = PORTS;
	assert_int_equal(uc_domain_init(&b->d, &again), 0);
}

static void bad_configurations_are_refused(void **state)
{
	struct world *w = *state;
	static struct uc_vcpu vcpus[1];
	static struct uc_port ports[2];
	const struct uc_domain_config good = {.host = &w->host,
					      .id = 3,
					      .vcpus = vcpus,
					      .nr_vcpus = 1,
					      .ports = ports,
					      .nr_ports = 2};
	struct uc_domain_config bad = good;
	struct uc_domain d = {0};

	bad.id = 0;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EINVAL);
	bad.id = 8;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EINVAL);
	bad.id = ID_A;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EEXIST);
	bad = good;
	bad.nr_vcpus = 0;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EINVAL);
	bad.nr_vcpus = 32769;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EINVAL);
	bad = good;
	bad.nr_ports = 1;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EINVAL);
	bad.nr_ports = UC_FIFO_PORTS + 1;
	assert_int_equal(uc_domain_init(&d, &bad), -XEN_EINVAL);
	assert_int_equal(uc_domain_init(&d, &good), 0);
	uc_domain_destroy(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(alloc_unbound_gives_the_lowest_free_port),
		TEST(alloc_unbound_for_another_domain_is_refused),
		TEST(the_2l_abi_has_4095_ports),
		TEST(the_fifo_abi_has_as_many_ports_as_the_host_gave),
		TEST(bind_interdomain_joins_both_ends),
		TEST(bind_interdomain_can_join_a_domain_to_itself),
		TEST(bind_interdomain_refuses_what_is_not_for_it),
		TEST(bind_interdomain_refuses_a_joined_port),
		TEST(bind_interdomain_does_not_take_the_free_port_it_names),
		TEST(bind_virq_is_one_port_per_vcpu),
		TEST(bind_virq_refuses_bad_numbers_and_global_virqs),
		TEST(bind_ipi_names_a_vcpu),
		TEST(close_refuses_ports_that_are_not_open),
		TEST(close_leaves_the_peer_unbound_for_a_rebind),
		TEST(send_refuses_ports_that_cannot_send),
		TEST(status_reports_unbound_and_reserved_ports),
		TEST(status_of_another_domain_is_refused),
		TEST(status_shows_a_host_end_point_as_domain_0),
		TEST(bind_vcpu_refuses_ipis_timers_and_closed_ports),
		TEST(bind_vcpu_moves_what_may_move),
		TEST(a_closed_port_is_bound_to_vcpu_0_again),
		TEST(set_priority_is_unknown_to_the_2l_abi),
		TEST(set_priority_checks_port_and_priority),
		TEST(priority_is_reset_when_a_port_is_reused),
		TEST(unmask_takes_any_allocated_port),
		TEST(unknown_operations_are_enosys),
		TEST(destroying_a_domain_unbinds_its_peers),
		TEST(bad_configurations_are_refused),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
