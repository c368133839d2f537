/* SPDX-License-Identifier: MIT */
/* What holds in both ABIs: each test runs in a 2-level and in a FIFO guest. */
#include "fixture.h"

#include <xen/errno.h>
#include <xen/xen.h>

static bool fifo;

static struct machine *start(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	if (fifo)
		start_fifo(a, 1);
	else
		start_2l(a);
	return a;
}

static uint64_t events(struct machine *m, uint32_t port)
{
	struct uc_port_info info;

	assert_int_equal(uc_port_info(&m->d, port, &info), 0);
	return info.events;
}

static void own(struct machine *m, uint32_t port, uint32_t vcpu)
{
	m->gv[vcpu].bound[port / 64] |= 1ull << (port % 64);
}

static void a_raise_is_handled_on_the_bound_vcpu(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 3);
	raise_line(&l[0]);
	raise_line(&l[1]);
	assert_int_equal(a->kicks[0], 1);
	assert_int_equal(a->kicks[3], 1);
	run_all(a);
	assert_string_equal(handled(a), "0:1 3:2");
	assert_int_equal(a->kicks[1] + a->kicks[2], 0);
}

static void raises_coalesce_until_handled(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	for (int i = 0; i < 5; i++)
		raise_line(&l);
	assert_int_equal(events(a, port), 1);
	assert_int_equal(run_all(a), 1);
	raise_line(&l);
	assert_int_equal(run_all(a), 1);
	assert_int_equal(events(a, port), 2);
}

static void the_events_counter_is_the_number_of_handler_calls(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 1), calls = 0;

	for (int i = 0; i < 200; i++) {
		raise_line(&l);
		if (i % 3 == 0)
			calls += run_all(a);
		handled(a);
	}
	calls += run_all(a);
	assert_int_equal(events(a, port), calls);
}

static void a_masked_raise_waits_for_the_unmask(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_guest_mask(&a->guest, port);
	raise_line(&l);
	assert_true(uc_guest_pending(&a->guest, port));
	assert_int_equal(a->kicks[0], 0);
	assert_int_equal(run_all(a), 0);
	uc_guest_unmask(&a->guest, port);
	assert_int_equal(a->kicks[0], 1);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
	assert_false(uc_guest_masked(&a->guest, port));
}

static void an_event_masked_on_its_way_waits_for_the_unmask(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	raise_line(&l);
	uc_guest_mask(&a->guest, port);
	assert_int_equal(run_all(a), 0);
	uc_guest_unmask(&a->guest, port);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void unmasking_what_is_not_pending_raises_nothing(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_guest_mask(&a->guest, port);
	uc_guest_unmask(&a->guest, port);
	assert_int_equal(uc_unmask(&a->d, port), 0);
	assert_int_equal(a->kicks[0], 0);
	assert_int_equal(run_all(a), 0);
}

static void the_kick_comes_on_the_edge_of_upcall_pending_only(void **state)
{
	struct machine *a = start(state);
	struct line l[3];

	for (int i = 0; i < 3; i++) {
		open_line(a, &l[i], 0);
		raise_line(&l[i]);
	}
	assert_int_equal(a->kicks[0], 1);
	assert_int_equal(a->vcpus[0].upcalls, 1);
	assert_int_equal(run_all(a), 3);
	raise_line(&l[1]);
	assert_int_equal(a->kicks[0], 2);
}

/* Each of these sets a READY or selector bit of its own; upcall_pending has one edge. */
static void the_events_counter_begins_again_with_the_ports_next_life(void **state)
{
	struct machine *a = start(state);
	struct line l, next;
	uint32_t port = open_line(a, &l, 0);

	for (int i = 0; i < 3; i++) {
		raise_line(&l);
		run_all(a);
	}
	assert_int_equal(events(a, port), 3);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(open_line(a, &next, 0), port);
	assert_int_equal(events(a, port), 0);
}

static void events_of_several_queues_share_one_kick(void **state)
{
	static struct line l[70];
	struct machine *a = start(state);
	uint32_t port = 0;

	for (int i = 0; i < 70; i++)
		port = open_line(a, &l[i], 0);
	if (fifo)
		assert_int_equal(uc_set_priority(&a->d, port, 3), 0);
	raise_line(&l[0]);
	raise_line(&l[69]);
	assert_int_equal(a->kicks[0], 1);
	assert_int_equal(a->vcpus[0].upcalls, 1);
	assert_int_equal(run_all(a), 2);
}

static void on_kick_the_guest_finds_its_event(struct machine *m, uint32_t vcpu)
{
	uint32_t *found = m->world->cookie;

	*found += run(m, vcpu);
}

static void everything_is_in_place_when_the_kick_comes(void **state)
{
	struct machine *a = start(state);
	uint32_t found = 0;
	struct line l[2];

	a->world->cookie = &found;
	a->world->on_kick = on_kick_the_guest_finds_its_event;
	open_line(a, &l[0], 0);
	open_line(a, &l[1], 2);
	for (uint32_t i = 0; i < 10; i++) {
		raise_line(&l[i % 2]);
		assert_int_equal(found, i + 1);
	}
}

static void bind_vcpu_takes_effect_for_the_next_event(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	raise_line(&l);
	run_all(a);
	assert_int_equal(uc_bind_vcpu(&a->d, port, 2), 0);
	own(a, port, 2);
	raise_line(&l);
	run_all(a);
	assert_string_equal(handled(a), "0:1 2:1");
}

static void an_event_under_way_stays_on_the_old_vcpu(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	raise_line(&l);
	assert_int_equal(uc_bind_vcpu(&a->d, port, 2), 0);
	own(a, port, 2);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void bind_interdomain_starts_pending(void **state)
{
	struct machine *a = start(state), *b = a->world->b;
	uint32_t remote, port;

	assert_int_equal(uc_alloc_unbound(&b->d, ID_A, &remote), 0);
	assert_int_equal(uc_send(&b->d, remote), 0); /* dropped */
	assert_int_equal(uc_bind_interdomain(&a->d, ID_B, remote, &port), 0);
	own(a, port, 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void send_reaches_the_other_end_only(void **state)
{
	struct machine *a = start(state), *b = a->world->b;
	uint32_t remote, port;

	start_2l(b);
	port = open_pair(a, b, &remote);
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(run_all(a), 0);
	run_all(b);
	assert_string_equal(handled(b), "0:1");
	assert_int_equal(uc_send(&b->d, remote), 0);
	assert_int_equal(run_all(b), 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void an_ipi_comes_on_its_vcpu(void **state)
{
	struct machine *a = start(state);
	uint32_t port[VCPUS];

	for (uint32_t v = 0; v < VCPUS; v++) {
		assert_int_equal(uc_bind_ipi(&a->d, v, &port[v]), 0);
		own(a, port[v], v);
	}
	for (uint32_t v = VCPUS; v-- > 0;)
		assert_int_equal(uc_send(&a->d, port[v]), 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1 1:2 2:3 3:4");
}

static void a_per_vcpu_virq_comes_on_its_vcpu_only(void **state)
{
	struct machine *a = start(state);
	uint32_t port[2];

	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 1, &port[0]), 0);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_TIMER, 3, &port[1]), 0);
	own(a, port[0], 1);
	own(a, port[1], 3);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_int_equal(uc_virq_raise(&a->vcpus[v], VIRQ_TIMER), 0);
	run_all(a);
	assert_string_equal(handled(a), "1:1 3:2");
	assert_int_equal(uc_bind_vcpu(&a->d, port[0], 0), -XEN_EINVAL);
	uc_virq_raise(&a->vcpus[1], VIRQ_TIMER);
	run_all(a);
	assert_string_equal(handled(a), "1:1");
	assert_int_equal(uc_close(&a->d, port[0]), 0);
	uc_virq_raise(&a->vcpus[1], VIRQ_TIMER);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(uc_virq_raise(&a->vcpus[1], UC_VIRQS), -XEN_EINVAL);
}

static void a_domain_virq_is_raised_from_any_vcpu(void **state)
{
	struct machine *a = start(state);
	uint32_t port;

	assert_int_equal(uc_bind_virq(&a->d, VIRQ_ARGO, 0, &port), 0);
	assert_int_equal(uc_bind_vcpu(&a->d, port, 2), 0);
	own(a, port, 2);
	assert_int_equal(uc_virq_raise(&a->vcpus[3], VIRQ_ARGO), 0);
	run_all(a);
	assert_string_equal(handled(a), "2:1");
}

static void an_event_pending_at_close_is_gone_at_reuse(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_guest_mask(&a->guest, port);
	raise_line(&l);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(open_line(a, &l, 0), port);
	uc_guest_unmask(&a->guest, port);
	assert_int_equal(run_all(a), 0);
	assert_int_equal(events(a, port), 0);
}

static void a_pending_left_by_a_late_raise_does_not_swallow_the_next_lifes_first(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	assert_int_equal(uc_close(&a->d, port), 0);
	if (fifo)
		word_of(a, port)->raw |= UC_FIFO_PENDING;
	else
		shared_of(a)->pending[0].raw |= 1ull << port;
	assert_int_equal(open_line(a, &l, 0), port);
	assert_false(uc_guest_pending(&a->guest, port));
	raise_line(&l);
	assert_int_equal(events(a, port), 1);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void many_ports_on_all_vcpus_are_all_handled(void **state)
{
	static struct line l[100];
	struct machine *a = start(state);
	uint32_t port[100];

	for (uint32_t i = 0; i < 100; i++)
		port[i] = open_line(a, &l[i], i % VCPUS);
	for (uint32_t i = 0; i < 100; i++)
		raise_line(&l[(i * 37) % 100]);
	assert_int_equal(run_all(a), 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(times_handled(a, port[i]), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_raise_is_handled_on_the_bound_vcpu),
		TEST(raises_coalesce_until_handled),
		TEST(the_events_counter_is_the_number_of_handler_calls),
		TEST(the_events_counter_begins_again_with_the_ports_next_life),
		TEST(a_masked_raise_waits_for_the_unmask),
		TEST(an_event_masked_on_its_way_waits_for_the_unmask),
		TEST(unmasking_what_is_not_pending_raises_nothing),
		TEST(the_kick_comes_on_the_edge_of_upcall_pending_only),
		TEST(events_of_several_queues_share_one_kick),
		TEST(everything_is_in_place_when_the_kick_comes),
		TEST(bind_vcpu_takes_effect_for_the_next_event),
		TEST(an_event_under_way_stays_on_the_old_vcpu),
		TEST(bind_interdomain_starts_pending),
		TEST(send_reaches_the_other_end_only),
		TEST(an_ipi_comes_on_its_vcpu),
		TEST(a_per_vcpu_virq_comes_on_its_vcpu_only),
		TEST(a_domain_virq_is_raised_from_any_vcpu),
		TEST(an_event_pending_at_close_is_gone_at_reuse),
		TEST(a_pending_left_by_a_late_raise_does_not_swallow_the_next_lifes_first),
		TEST(many_ports_on_all_vcpus_are_all_handled),
	};
	int failed = cmocka_run_group_tests_name("deliver, 2-level", tests, NULL, NULL);

	fifo = true;
	return failed + cmocka_run_group_tests_name("deliver, FIFO", tests, NULL, NULL);
}
