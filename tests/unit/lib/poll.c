/* SPDX-License-Identifier: MIT */
/* SCHEDOP_poll, in both ABIs. */
#include "fixture.h"

#include <xen/errno.h>

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

static void a_masked_event_wakes_its_poller(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_guest_mask(&a->guest, port);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &port, 1), 0);
	raise_line(&l);
	assert_int_equal(a->wakes[1], 1);
	assert_int_equal(a->kicks[0] + a->kicks[1], 0);
	uc_poll_end(&a->vcpus[1]);
	assert_int_equal(a->d.pollers, 0);
}

static void an_unmasked_event_wakes_its_poller_too(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	assert_int_equal(uc_poll_begin(&a->vcpus[1], &port, 1), 0);
	raise_line(&l);
	assert_int_equal(a->wakes[1], 1);
	assert_int_equal(a->kicks[0], 1);
	uc_poll_end(&a->vcpus[1]);
}

static void an_event_that_comes_again_wakes_its_poller_too(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	raise_line(&l);
	run_all(a);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &port, 1), 0);
	raise_line(&l);
	assert_int_equal(a->wakes[1], 1);
	uc_poll_end(&a->vcpus[1]);
}

static void the_wake_comes_once_per_poll(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_guest_mask(&a->guest, port);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &port, 1), 0);
	raise_line(&l);
	uc_guest_clear(&a->guest, port);
	raise_line(&l);
	uc_poll_end(&a->vcpus[1]);
	assert_int_equal(a->wakes[1], 1);
	uc_guest_clear(&a->guest, port);
	raise_line(&l);
	assert_int_equal(a->wakes[1], 1);
}

static void other_events_do_not_wake(void **state)
{
	struct machine *a = start(state);
	struct line l[2];
	uint32_t port = open_line(a, &l[0], 0);

	open_line(a, &l[1], 0);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &port, 1), 0);
	raise_line(&l[1]);
	assert_int_equal(a->wakes[1], 0);
	uc_poll_end(&a->vcpus[1]);
}

static void any_of_several_ports_wakes(void **state)
{
	struct machine *a = start(state);
	struct line l[3];
	uint32_t ports[3];

	for (int i = 0; i < 3; i++)
		ports[i] = open_line(a, &l[i], 0);
	assert_int_equal(uc_poll_begin(&a->vcpus[2], ports, 3), 0);
	raise_line(&l[2]);
	assert_int_equal(a->wakes[2], 1);
	uc_poll_end(&a->vcpus[2]);
}

static void every_poller_of_the_port_is_woken(void **state)
{
	struct machine *a = start(state);
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	for (uint32_t v = 1; v < VCPUS; v++)
		assert_int_equal(uc_poll_begin(&a->vcpus[v], &port, 1), 0);
	raise_line(&l);
	for (uint32_t v = 1; v < VCPUS; v++) {
		assert_int_equal(a->wakes[v], 1);
		uc_poll_end(&a->vcpus[v]);
	}
	assert_int_equal(a->d.pollers, 0);
}

static void what_is_pending_already_does_not_sleep(void **state)
{
	struct machine *a = start(state);
	struct line l[2];
	uint32_t ports[2];

	ports[0] = open_line(a, &l[0], 0);
	ports[1] = open_line(a, &l[1], 0);
	uc_guest_mask(&a->guest, ports[1]);
	raise_line(&l[1]);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], ports, 2), 1);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &ports[1], 1), 1);
	assert_int_equal(a->d.pollers, 0);
	assert_int_equal(a->vcpus[1].poll_port, 0);
}

static void bad_ports_are_refused(void **state)
{
	static uint32_t many[129];
	struct machine *a = start(state);
	struct line l, closed;
	uint32_t port = open_line(a, &l, 0), bad;

	for (int i = 0; i < 129; i++)
		many[i] = port;
	assert_int_equal(uc_poll_begin(&a->vcpus[1], many, 129), -XEN_EINVAL);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], many, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], many, 128), 0);
	uc_poll_end(&a->vcpus[1]);
	for (bad = port + 1; bad < 5000; bad += 33)
		assert_int_equal(uc_poll_begin(&a->vcpus[1], &bad, 1), -XEN_EINVAL);
	bad = UINT32_MAX;
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &bad, 1), -XEN_EINVAL);
	bad = 0;
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &bad, 1), -XEN_EINVAL);
	bad = open_line(a, &closed, 0);
	assert_int_equal(uc_close(&a->d, bad), 0);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &bad, 1), -XEN_EINVAL);
	assert_int_equal(a->d.pollers, 0);
}

static void the_event_is_linked(struct machine *m, uint32_t vcpu)
{
	uint32_t *seen = m->world->cookie;

	*seen = vcpu == 1 && (!fifo || (word(m, 1) & UC_FIFO_LINKED));
}

/* Else the woken guest finds nothing and sleeps on (Xen 71ac522909). */
static void the_wake_comes_when_the_event_is_in_its_queue(void **state)
{
	struct machine *a = start(state);
	uint32_t port, seen = 0;
	struct line l;

	a->world->cookie = &seen;
	a->world->on_wake = the_event_is_linked;
	port = open_line(a, &l, 0);
	assert_int_equal(uc_poll_begin(&a->vcpus[1], &port, 1), 0);
	raise_line(&l);
	uc_poll_end(&a->vcpus[1]);
	assert_true(seen);
}

static void polling_nothing_sleeps_until_the_time_out(void **state)
{
	struct machine *a = start(state);

	assert_int_equal(uc_poll_begin(&a->vcpus[1], NULL, 0), 0);
	uc_poll_end(&a->vcpus[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_masked_event_wakes_its_poller),
		TEST(an_unmasked_event_wakes_its_poller_too),
		TEST(an_event_that_comes_again_wakes_its_poller_too),
		TEST(the_wake_comes_once_per_poll),
		TEST(other_events_do_not_wake),
		TEST(any_of_several_ports_wakes),
		TEST(every_poller_of_the_port_is_woken),
		TEST(what_is_pending_already_does_not_sleep),
		TEST(bad_ports_are_refused),
		TEST(the_wake_comes_when_the_event_is_in_its_queue),
		TEST(polling_nothing_sleeps_until_the_time_out),
	};
	int failed = cmocka_run_group_tests_name("poll, 2-level", tests, NULL, NULL);

	fifo = true;
	return failed + cmocka_run_group_tests_name("poll, FIFO", tests, NULL, NULL);
}
