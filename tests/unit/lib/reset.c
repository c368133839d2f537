/* SPDX-License-Identifier: MIT */
/* EVTCHNOP_reset and its continuation: what goes, what stays, and that a kernel can begin anew. */
#include "fixture.h"

#include <upcall/route.h>

#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

static int op(struct machine *m, uint32_t cmd, uint16_t dom)
{
	struct evtchn_reset arg = {.dom = dom};

	return OP(m, 0, cmd, &arg);
}

static void it_closes_all_but_the_hosts_own(void **state)
{
	struct world *w = *state;
	struct line own;
	struct uc_port_info info;
	uint32_t ipi, virq, remote, unbound, pirq;

	start_fifo(w->a, 1);
	open_line(w->a, &own, 0);
	uc_bind_ipi(&w->a->d, 1, &ipi);
	uc_bind_virq(&w->a->d, VIRQ_TIMER, 2, &virq);
	uc_bind_pirq(&w->a->d, 2, &pirq);
	uc_alloc_unbound(&w->a->d, ID_B, &unbound);
	open_pair(w->a, w->b, &remote);
	assert_int_equal(reset_all(w->a), 0);
	for (uint32_t port = 1; port < uc_ports_valid(&w->a->d); port++) {
		uc_port_info(&w->a->d, port, &info);
		assert_int_equal(info.kind, port == own.e.port ? UC_PORT_HOST : UC_PORT_FREE);
	}
	uc_port_info(&w->b->d, remote, &info);
	assert_int_equal(info.kind, UC_PORT_UNBOUND);
	assert_int_equal(info.remote_domid, ID_A);
	assert_int_equal(uc_virq_raise(&w->a->vcpus[2], VIRQ_TIMER), 0);
	assert_int_equal(uc_bind_pirq(&w->a->d, 2, &pirq), 0);
}

static void a_back_end_s_channel_goes(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(m, 1);
	open_line(m, &l, 0);
	uc_endpoint_close(&l.e);
	uc_close(&m->d, l.e.port);
	uc_alloc_unbound(&m->d, UC_DOMID_HOST, &port);
	assert_int_equal(uc_endpoint_bind(&l.e, &m->d, port), 0);
	assert_int_equal(reset_all(m), 0);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	uc_endpoint_close(&l.e);
}

static void a_2_level_guest_stays_one(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_2l(m);
	open_line(m, &l, 0);
	uc_bind_ipi(&m->d, 1, &port);
	assert_int_equal(reset_all(m), 0);
	assert_int_equal(run_all(m), 0); /* nothing is raised that was not */
	raise_line(&l);
	assert_int_equal(run_all(m), 1);
}

/* The way of kexec: the new kernel has words and control blocks elsewhere. */
static void a_fifo_guest_can_begin_anew(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;

	start_fifo(m, 2);
	open_line(m, &l, 1);
	uc_set_priority(&m->d, l.e.port, 3);
	raise_line(&l); /* never taken */
	assert_int_equal(reset_all(m), 0);
	assert_false(uc_domain_is_fifo(&m->d));
	assert_int_equal(m->maps[FRAME_EVENTS] + m->maps[FRAME_EVENTS + 1] + m->maps[FRAME_CONTROL],
			 0);
	m->gv[0].bound[0] |= 1ull << l.e.port;
	assert_int_equal(run_all(m), 1); /* by the 2-level ABI, at vCPU 0 as when it was opened */
	assert_string_equal(handled(m), "0:1");

	start_fifo(m, 1);
	assert_true(uc_domain_is_fifo(&m->d));
	open_ipis(m);
	for (int i = 0; i < 3; i++) {
		raise_line(&l);
		assert_int_equal(run_all(m), 1);
	}
	assert_int_equal(times_handled(m, l.e.port), 3);
	assert_int_equal(control_of(m, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, l.e.port);
	assert_int_equal(m->astray, 0);
}

/* The guest went FIFO before it took the upcall of a 2-level event: its selector stays set. */
static void a_selector_of_the_first_life_is_not_believed(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;

	start_2l(m);
	open_line(m, &l, 0);
	raise_line(&l);
	for (uint32_t i = 0; i < VCPUS; i++)
		start_control(m, i);
	add_page(m);
	assert_int_equal(run_all(m), 1);
	assert_int_equal(reset_all(m), 0);
	assert_int_equal(run_all(m), 1);
	raise_line(&l);
	assert_int_equal(run_all(m), 1);
}

static void nothing_of_the_old_life_is_in_the_new_queues(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l[3];

	m->world->strict = true;
	start_fifo(m, 1);
	open_ipis(m);
	for (int i = 0; i < 3; i++) {
		open_line(m, &l[i], 0);
		raise_line(&l[i]);
	}
	assert_int_equal(reset_all(m), 0);
	run_all(m);
	handled(m);
	start_fifo(m, 1);
	open_ipis(m);
	run_all(m);
	handled(m);
	raise_line(&l[1]);
	raise_line(&l[0]);
	run_all(m);
	assert_string_equal(handled(m), "0:6 0:5");
	assert_int_equal(m->astray, 0);
	uc_domain_set_policy(&m->d, UC_POLICY_FOLLOW);
	raise_line(&l[2]);
	m->state[0] = UC_VCPU_PREEMPTED;
	assert_int_equal(uc_vcpu_handover(&m->vcpus[0]), 1);
	assert_int_equal(run_all(m), 1);
	assert_int_equal(m->astray, 0);
}

/* It would find the words gone when it is half done. */
static void nothing_is_handed_over_while_all_goes(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;

	start_fifo(m, 1);
	open_ipis(m);
	open_line(m, &l, 0);
	uc_domain_set_policy(&m->d, UC_POLICY_FOLLOW);
	raise_line(&l);
	m->state[0] = UC_VCPU_PREEMPTED;
	m->d.epoch++;
	assert_int_equal(uc_vcpu_handover(&m->vcpus[0]), 0);
	m->d.epoch++;
	assert_int_equal(uc_vcpu_handover(&m->vcpus[0]), 1);
	assert_int_equal(run(m, 0), 0);
}

/* XSA-344. */
static void the_work_of_one_call_is_bounded(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	uint32_t port, closed = 0, before = 1000, calls = 0;
	struct uc_port_info info;
	int rc = 1;

	start_fifo(m, 1);
	for (uint32_t i = 0; i < before; i++)
		uc_bind_ipi(&m->d, i % VCPUS, &port);
	while (rc == 1) {
		rc = uc_reset(&m->d, calls++ != 0);
		before -= closed;
		closed = 0;
		for (uint32_t i = 1; i <= 1000; i++) {
			uc_port_info(&m->d, i, &info);
			closed += info.kind == UC_PORT_FREE;
		}
		assert_true(closed <= calls * 64);
		closed = 0;
	}
	assert_int_equal(rc, 0);
	assert_true(calls >= 1000 / 64);
}

static void it_is_resumed_where_it_stopped(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	uint32_t port;

	start_fifo(m, 1);
	for (uint32_t i = 0; i < 200; i++)
		uc_bind_ipi(&m->d, 0, &port);
	assert_int_equal(op(m, UC_EVTCHNOP_RESET_CONT, DOMID_SELF), -XEN_EBUSY);
	assert_int_equal(op(m, EVTCHNOP_reset, DOMID_SELF), 1);
	assert_int_equal(op(m, EVTCHNOP_reset, DOMID_SELF), -XEN_EBUSY);
	assert_int_equal(op(m, UC_EVTCHNOP_RESET_CONT, DOMID_SELF), 1);
	assert_int_equal(op(m, UC_EVTCHNOP_RESET_CONT, DOMID_SELF), 1);
	assert_int_equal(op(m, UC_EVTCHNOP_RESET_CONT, DOMID_SELF), 0);
	assert_int_equal(op(m, UC_EVTCHNOP_RESET_CONT, DOMID_SELF), -XEN_EBUSY);
	assert_int_equal(op(m, EVTCHNOP_reset, DOMID_SELF),
			 1); /* port numbers stay valid: XSA-338 */
}

static void a_guest_resets_itself_only(void **state)
{
	struct machine *m = ((struct world *)*state)->a;

	assert_int_equal(op(m, EVTCHNOP_reset, ID_B), -XEN_EPERM);
	assert_int_equal(op(m, EVTCHNOP_reset, ID_NONE), -XEN_ESRCH);
	assert_int_equal(op(m, EVTCHNOP_reset, ID_A), 0);
}

/* XSA-343: a reset must not say that all is closed when it is not. */
static void ports_opened_meanwhile_are_told(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(m, 1);
	open_line(m, &l, 0);
	for (uint32_t i = 0; i < 100; i++)
		uc_bind_ipi(&m->d, 0, &port);
	assert_int_equal(uc_reset(&m->d, false), 1);
	assert_int_equal(uc_bind_ipi(&m->d, 0, &port), 0);
	assert_true(port < 64);
	assert_int_equal(uc_reset(&m->d, true), -XEN_EAGAIN);
	assert_true(uc_domain_is_fifo(&m->d));
	raise_line(&l);
	assert_int_equal(run_all(m), 1);
	assert_int_equal(reset_all(m), 0);
	assert_false(uc_domain_is_fifo(&m->d));
}

/* As when the guest takes a vCPU offline itself. */
static void what_waits_where_nobody_looks_goes_elsewhere_when_it_fails(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(m, 1);
	open_line(m, &l, 0);
	for (uint32_t i = 0; i < 100; i++)
		uc_bind_ipi(&m->d, 1, &port);
	uc_domain_set_policy(&m->d, UC_POLICY_FOLLOW);
	raise_line(&l);
	assert_int_equal(uc_vcpu_untaken(&m->vcpus[1]), 1u << UC_FIFO_PRIORITY_DEFAULT);
	assert_int_equal(uc_reset(&m->d, false), 1);
	assert_int_equal(uc_bind_ipi(&m->d, 2, &port), 0);
	assert_int_equal(uc_reset(&m->d, true), -XEN_EAGAIN);
	assert_int_equal(uc_vcpu_untaken(&m->vcpus[1]), 0);
	assert_int_equal(run(m, 2), 1);
}

static void a_host_s_port_beyond_the_2_level_abi_goes(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(m, 5);
	do {
		assert_int_equal(uc_bind_ipi(&m->d, 0, &port), 0);
	} while (port < UC_2L_PORTS - 1);
	open_line(m, &l, 0);
	assert_int_equal(l.e.port, UC_2L_PORTS);
	assert_int_equal(reset_all(m), 0);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	uc_endpoint_close(&l.e);
	assert_int_equal(m->d.kept_ports, 0);
	assert_int_equal(m->d.open_ports, 0);
}

static void a_port_the_host_has_closed_does_not_stay(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct uc_port_info info;
	struct line l;
	uint32_t port;

	start_fifo(m, 1);
	port = open_line(m, &l, 0);
	uc_endpoint_close(&l.e);
	assert_int_equal(reset_all(m), 0);
	uc_port_info(&m->d, port, &info);
	assert_int_equal(info.kind, UC_PORT_FREE);
}

static void it_can_be_done_again_and_again(void **state)
{
	struct machine *m = ((struct world *)*state)->a;
	struct line l;

	open_line(m, &l, 0);
	for (int i = 0; i < 3; i++) {
		start_fifo(m, 2);
		open_ipis(m);
		run_all(m);
		raise_line(&l);
		assert_int_equal(run_all(m), 1);
		assert_int_equal(reset_all(m), 0);
		run_all(m);
		handled(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_closes_all_but_the_hosts_own),
		TEST(a_back_end_s_channel_goes),
		TEST(a_2_level_guest_stays_one),
		TEST(a_fifo_guest_can_begin_anew),
		TEST(a_selector_of_the_first_life_is_not_believed),
		TEST(nothing_of_the_old_life_is_in_the_new_queues),
		TEST(nothing_is_handed_over_while_all_goes),
		TEST(the_work_of_one_call_is_bounded),
		TEST(it_is_resumed_where_it_stopped),
		TEST(a_guest_resets_itself_only),
		TEST(ports_opened_meanwhile_are_told),
		TEST(what_waits_where_nobody_looks_goes_elsewhere_when_it_fails),
		TEST(a_host_s_port_beyond_the_2_level_abi_goes),
		TEST(a_port_the_host_has_closed_does_not_stay),
		TEST(it_can_be_done_again_and_again),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
