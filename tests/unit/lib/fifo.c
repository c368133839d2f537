/* SPDX-License-Identifier: MIT */
/* The FIFO ABI's own rules: order, priorities, queues and their tails, reuse of linked ports. */
#include "fixture.h"

#include <xen/errno.h>

static struct machine *start(void **state)
{
	struct machine *a = ((struct world *)*state)->a;

	start_fifo(a, 1);
	return a;
}

static void close_port(struct machine *m, uint32_t port)
{
	assert_int_equal(uc_close(&m->d, port), 0);
}

static void one_priority_is_first_in_first_out(void **state)
{
	struct machine *a = start(state);
	struct line l[5];

	for (int i = 0; i < 5; i++)
		open_line(a, &l[i], 0);
	for (int i = 0; i < 5; i++)
		raise_line(&l[(i * 3 + 2) % 5]);
	run_all(a);
	assert_string_equal(handled(a), "0:3 0:1 0:4 0:2 0:5");
}

static void a_coalesced_raise_keeps_its_place(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	raise_line(&l[1]);
	raise_line(&l[0]);
	run_all(a);
	assert_string_equal(handled(a), "0:1 0:2");
}

static void higher_priorities_come_first(void **state)
{
	static const uint32_t priority[] = {7, 15, 0, 8, 6};
	struct machine *a = start(state);
	struct line l[5];

	for (int i = 0; i < 5; i++)
		assert_int_equal(uc_set_priority(&a->d, open_line(a, &l[i], 0), priority[i]), 0);
	for (int i = 0; i < 5; i++)
		raise_line(&l[i]);
	run_all(a);
	assert_string_equal(handled(a), "0:3 0:5 0:1 0:4 0:2");
}

static struct line *urgent;

static void raise_urgent_once(struct machine *m, uint32_t vcpu, uint32_t port)
{
	uc_guest_clear(&m->guest, port);
	m->log[m->nr_log++] = (struct handled){vcpu, port};
	if (urgent)
		raise_line(urgent);
	urgent = NULL;
}

static void a_higher_priority_overtakes_a_queue_half_consumed(void **state)
{
	struct machine *a = start(state);
	struct line l[4];

	for (int i = 0; i < 4; i++)
		open_line(a, &l[i], 0);
	assert_int_equal(uc_set_priority(&a->d, 4, 1), 0);
	for (int i = 0; i < 3; i++)
		raise_line(&l[i]);
	urgent = &l[3];
	a->on_handle = raise_urgent_once;
	run_all(a);
	assert_string_equal(handled(a), "0:1 0:4 0:2 0:3");
}

static void a_port_raised_in_its_own_handler_comes_again(void **state)
{
	struct machine *a = start(state);
	struct line l;

	open_line(a, &l, 0);
	raise_line(&l);
	urgent = &l;
	a->on_handle = raise_urgent_once;
	run_all(a);
	assert_string_equal(handled(a), "0:1 0:1");
}

static void set_priority_takes_effect_for_the_next_event(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	raise_line(&l[1]);
	assert_int_equal(uc_set_priority(&a->d, 2, 0), 0);
	run_all(a);
	assert_string_equal(handled(a), "0:1 0:2");
	raise_line(&l[0]);
	raise_line(&l[1]);
	run_all(a);
	assert_string_equal(handled(a), "0:2 0:1");
}

static void ready_is_set_for_heads_only(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	assert_int_equal(control_of(a, 0)->ready.raw, 1u << UC_FIFO_PRIORITY_DEFAULT);
	assert_int_equal(control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, 1);
	control_of(a, 0)->ready.raw = 0;
	raise_line(&l[1]);
	assert_int_equal(control_of(a, 0)->ready.raw, 0);
	assert_int_equal(control_of(a, 0)->head[UC_FIFO_PRIORITY_DEFAULT].raw, 1);
	assert_int_equal(word(a, 1), UC_FIFO_PENDING | UC_FIFO_LINKED | 2);
	assert_int_equal(word(a, 2), UC_FIFO_PENDING | UC_FIFO_LINKED);
	control_of(a, 0)->ready.raw = 1u << UC_FIFO_PRIORITY_DEFAULT;
	assert_int_equal(run_all(a), 2);
}

static void a_masked_raise_is_not_linked(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_guest_mask(&a->guest, port);
	raise_line(&l);
	assert_int_equal(word(a, port), UC_FIFO_PENDING | UC_FIFO_MASKED);
}

/*
 * The old-tail rule: port 1 was consumed as vCPU 0's tail, is then linked on vCPU 1. A raise of
 * port 2 on vCPU 0 must not follow it there.
 */
static void a_moved_port_is_not_followed_as_a_tail(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	run_all(a);
	assert_int_equal(uc_bind_vcpu(&a->d, 1, 1), 0);
	raise_line(&l[0]);
	raise_line(&l[1]);
	handled(a);
	run(a, 0);
	assert_string_equal(handled(a), "0:2");
	run(a, 1);
	assert_string_equal(handled(a), "1:1");
}

static void a_port_of_changed_priority_is_not_followed_as_a_tail(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	run_all(a);
	handled(a);
	assert_int_equal(uc_set_priority(&a->d, 1, 12), 0);
	raise_line(&l[0]);
	raise_line(&l[1]);
	run_all(a);
	assert_string_equal(handled(a), "0:2 0:1");
}

static void a_reused_port_is_not_followed_as_a_tail(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 3);
	open_line(a, &l[1], 3);
	raise_line(&l[0]);
	run_all(a);
	handled(a);
	close_port(a, 1);
	assert_int_equal(open_line(a, &l[0], 2), 1);
	raise_line(&l[0]);
	raise_line(&l[1]);
	run(a, 3);
	assert_string_equal(handled(a), "3:2");
	run(a, 2);
	assert_string_equal(handled(a), "2:1");
}

static void a_port_keeps_one_place_while_it_moves_around(void **state)
{
	struct machine *a = start(state);
	struct line l[3];

	for (int i = 0; i < 3; i++)
		open_line(a, &l[i], 0);
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(uc_bind_vcpu(&a->d, 1 + i % 3, (i * 5 + 1) % VCPUS), 0);
		assert_int_equal(uc_set_priority(&a->d, 1 + (i + 1) % 3, i % 16), 0);
		for (int j = 0; j < 3; j++)
			raise_line(&l[(i + (uint32_t)j) % 3]);
		if (i % 4)
			run(a, i % VCPUS);
		else
			run_all(a);
		a->nr_log = 0;
	}
	for (int j = 0; j < 3; j++)
		raise_line(&l[j]);
	run_all(a);
	for (uint32_t port = 1; port <= 3; port++)
		assert_true(times_handled(a, port) <= 2 && !(word(a, port) & UC_FIFO_PENDING));
}

static void a_linked_port_is_not_reused_before_the_guest_lets_go(void **state)
{
	struct machine *a = start(state);
	struct line l[3];

	open_line(a, &l[0], 0);
	raise_line(&l[0]);
	close_port(a, 1);
	assert_int_equal(open_line(a, &l[1], 0), 2);
	assert_int_equal(run_all(a), 0); /* unlinks the closed port and ignores it */
	assert_int_equal(open_line(a, &l[2], 0), 1);
	raise_line(&l[2]);
	run_all(a);
	assert_string_equal(handled(a), "0:1");
}

static void closing_a_port_inside_a_queue_keeps_the_queue(void **state)
{
	struct machine *a = start(state);
	struct line l[3];

	for (int i = 0; i < 3; i++) {
		open_line(a, &l[i], 0);
		raise_line(&l[i]);
	}
	close_port(a, 2);
	run_all(a);
	assert_string_equal(handled(a), "0:1 0:3");
}

static void unmask_relinks_once(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	raise_line(&l[1]);
	uc_guest_mask(&a->guest, 1);
	uc_guest_unmask(&a->guest, 1); /* still linked: nothing to do */
	run_all(a);
	assert_string_equal(handled(a), "0:1 0:2");
}

/* Linux drops the queue of a CPU that goes offline: LINKED cleared, PENDING left. */
static void a_dropped_event_is_linked_by_the_next_raise(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 1);

	raise_line(&l);
	word_of(a, port)->raw = UC_FIFO_PENDING;
	control_of(a, 1)->ready.raw = 0;
	shared_of(a)->vcpu_info[1].upcall_pending.raw = 0;
	raise_line(&l);
	run_all(a);
	assert_string_equal(handled(a), "1:1");
}

/* The test holds the locks; the fixture fails a test whose only thread waits for one. */
static void an_event_on_its_way_or_masked_is_raised_without_a_lock(void **state)
{
	struct machine *a = start(state);
	struct line l[2];

	open_line(a, &l[0], 0);
	open_line(a, &l[1], 0);
	raise_line(&l[0]);
	uc_guest_mask(&a->guest, 2);
	for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
		a->vcpus[0].queue[i].lock = 1;
	a->ports[1].lock = a->ports[2].lock = a->d.lock = 1;
	raise_line(&l[0]);
	raise_line(&l[1]);
	raise_line(&l[1]);
	for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
		a->vcpus[0].queue[i].lock = 0;
	a->ports[1].lock = a->ports[2].lock = a->d.lock = 0;
	assert_true(word(a, 2) & UC_FIFO_PENDING);
}

static void a_raise_takes_its_own_queues_lock_only(void **state)
{
	struct machine *a = start(state);
	struct line l;

	open_line(a, &l, 2);
	raise_line(&l);
	run_all(a);
	for (uint32_t v = 0; v < VCPUS; v++)
		for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
			a->vcpus[v].queue[i].lock = v != 2 || i != UC_FIFO_PRIORITY_DEFAULT;
	a->ports[1].lock = a->d.lock = 1;
	raise_line(&l);
	for (uint32_t v = 0; v < VCPUS; v++)
		for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
			a->vcpus[v].queue[i].lock = 0;
	a->ports[1].lock = a->d.lock = 0;
	assert_int_equal(run_all(a), 1);
}

static void events_beyond_the_first_page_work(void **state)
{
	static struct line l[1500];
	struct machine *a = start(state);
	uint32_t port = 0;

	for (uint32_t i = 0; i < 1500; i++)
		port = open_line(a, &l[i], 0);
	assert_int_equal(add_page(a), 0);
	raise_line(&l[1499]);
	raise_line(&l[3]);
	raise_line(&l[1200]);
	run_all(a);
	assert_int_equal(port, 1500);
	assert_string_equal(handled(a), "0:1500 0:4 0:1201");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_priority_is_first_in_first_out),
		TEST(a_coalesced_raise_keeps_its_place),
		TEST(higher_priorities_come_first),
		TEST(a_higher_priority_overtakes_a_queue_half_consumed),
		TEST(a_port_raised_in_its_own_handler_comes_again),
		TEST(set_priority_takes_effect_for_the_next_event),
		TEST(ready_is_set_for_heads_only),
		TEST(a_masked_raise_is_not_linked),
		TEST(a_moved_port_is_not_followed_as_a_tail),
		TEST(a_port_of_changed_priority_is_not_followed_as_a_tail),
		TEST(a_reused_port_is_not_followed_as_a_tail),
		TEST(a_port_keeps_one_place_while_it_moves_around),
		TEST(a_linked_port_is_not_reused_before_the_guest_lets_go),
		TEST(closing_a_port_inside_a_queue_keeps_the_queue),
		TEST(unmask_relinks_once),
		TEST(a_dropped_event_is_linked_by_the_next_raise),
		TEST(an_event_on_its_way_or_masked_is_raised_without_a_lock),
		TEST(a_raise_takes_its_own_queues_lock_only),
		TEST(events_beyond_the_first_page_work),
	};

	return cmocka_run_group_tests_name("fifo", tests, NULL, NULL);
}
