/* SPDX-License-Identifier: MIT */
/* Physical interrupts: edges, level lines and their EOI, binding. */
#include "fixture.h"

#include <upcall/route.h>

#include <xen/errno.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

#define EDGE  2u
#define LEVEL 3u

static struct machine *boot(void **state)
{
	struct machine *m = ((struct world *)*state)->a;

	start_fifo(m, 1);
	open_ipis(m);
	return m;
}

static uint32_t bind(struct machine *m, uint32_t pirq)
{
	struct evtchn_bind_pirq arg = {.pirq = pirq, .flags = BIND_PIRQ__WILL_SHARE};

	assert_int_equal(OP(m, 0, EVTCHNOP_bind_pirq, &arg), 0);
	return arg.port;
}

static void an_edge_is_an_event(void **state)
{
	struct machine *m = boot(state);
	uint32_t port = bind(m, EDGE);

	for (uint32_t i = 1; i < 4; i++) {
		assert_int_equal(uc_pirq_raise(&m->d, EDGE), 0);
		run_all(m);
		assert_int_equal(times_handled(m, port), i);
	}
	assert_int_equal(uc_pirq_eoi(&m->d, EDGE), 0); /* a guest may say so of edges, too */
	assert_int_equal(run_all(m), 0);
}

static void a_line_is_one_event_until_its_eoi(void **state)
{
	struct machine *m = boot(state);
	uint32_t port = bind(m, LEVEL);

	assert_int_equal(uc_pirq_set_level(&m->d, LEVEL, true), 0);
	assert_int_equal(uc_pirq_set_level(&m->d, LEVEL, true), 0);
	run_all(m);
	assert_int_equal(uc_pirq_set_level(&m->d, LEVEL, false), 0);
	assert_int_equal(uc_pirq_set_level(&m->d, LEVEL, true), 0);
	run_all(m);
	assert_int_equal(times_handled(m, port), 1);
}

static void a_line_still_asserted_at_its_eoi_is_delivered_again(void **state)
{
	struct machine *m = boot(state);
	uint32_t port = bind(m, LEVEL);

	uc_pirq_set_level(&m->d, LEVEL, true);
	for (uint32_t i = 1; i < 4; i++) {
		run_all(m);
		assert_int_equal(times_handled(m, port), i);
		assert_int_equal(uc_pirq_eoi(&m->d, LEVEL), 0);
	}
	run_all(m);
	uc_pirq_set_level(&m->d, LEVEL, false);
	uc_pirq_eoi(&m->d, LEVEL);
	assert_int_equal(run_all(m), 0);
	uc_pirq_set_level(&m->d, LEVEL, true);
	assert_int_equal(run_all(m), 1);
}

static void a_line_asserted_before_the_bind_is_delivered_then(void **state)
{
	struct machine *m = boot(state);
	uint32_t port;

	uc_pirq_set_level(&m->d, LEVEL, true);
	port = bind(m, LEVEL);
	run_all(m);
	assert_int_equal(times_handled(m, port), 1);
}

static void closing_forgets_the_service_not_the_line(void **state)
{
	struct machine *m = boot(state);
	uint32_t port = bind(m, LEVEL);

	uc_pirq_set_level(&m->d, LEVEL, true);
	run_all(m);
	assert_int_equal(uc_close(&m->d, port), 0);
	assert_int_equal(bind(m, LEVEL), port);
	assert_int_equal(run_all(m), 1);
	uc_close(&m->d, port);
	assert_int_equal(uc_pirq_eoi(&m->d, LEVEL), 0);
	assert_int_equal(run_all(m), 0);
}

static void an_edge_that_nobody_bound_is_dropped(void **state)
{
	struct machine *m = boot(state);

	assert_int_equal(uc_pirq_raise(&m->d, EDGE), 0);
	bind(m, EDGE);
	assert_int_equal(run_all(m), 0);
}

static void a_masked_line_comes_with_the_unmask(void **state)
{
	struct machine *m = boot(state);
	uint32_t port = bind(m, LEVEL);

	uc_guest_mask(&m->guest, port);
	uc_pirq_set_level(&m->d, LEVEL, true);
	assert_int_equal(run_all(m), 0);
	uc_guest_unmask(&m->guest, port);
	run_all(m);
	assert_int_equal(times_handled(m, port), 1);
}

static void it_follows_as_devices_do(void **state)
{
	struct machine *m = boot(state);
	uint32_t port = bind(m, EDGE);

	assert_int_equal(uc_domain_set_policy(&m->d, UC_POLICY_FOLLOW), 0);
	m->state[0] = UC_VCPU_PREEMPTED;
	m->state[1] = UC_VCPU_PREEMPTED;
	m->state[3] = UC_VCPU_PREEMPTED;
	uc_pirq_raise(&m->d, EDGE);
	assert_int_equal(run(m, 0), 0);
	assert_int_equal(run(m, 2), 1);
	assert_int_equal(uc_bind_vcpu(&m->d, port, 3), 0);
}

static void bad_ones_are_refused(void **state)
{
	struct machine *m = boot(state);
	uint32_t port;
	bool needs;

	assert_int_equal(uc_bind_pirq(&m->d, 0, &port), -XEN_EPERM);
	assert_int_equal(uc_bind_pirq(&m->d, PIRQS, &port), -XEN_EINVAL);
	assert_int_equal(uc_bind_pirq(&m->d, UINT32_MAX, &port), -XEN_EINVAL);
	bind(m, EDGE);
	assert_int_equal(uc_bind_pirq(&m->d, EDGE, &port), -XEN_EEXIST);
	assert_int_equal(uc_pirq_raise(&m->d, LEVEL), -XEN_EINVAL);
	assert_int_equal(uc_pirq_raise(&m->d, PIRQS), -XEN_EINVAL);
	assert_int_equal(uc_pirq_set_level(&m->d, EDGE, true), -XEN_EINVAL);
	assert_int_equal(uc_pirq_set_level(&m->d, UINT32_MAX, true), -XEN_EINVAL);
	assert_int_equal(uc_pirq_eoi(&m->d, PIRQS), -XEN_EINVAL);
	assert_int_equal(uc_pirq_needs_eoi(&m->d, PIRQS, &needs), -XEN_EINVAL);
}

static void only_lines_need_an_eoi(void **state)
{
	struct machine *m = boot(state);
	bool needs = true;

	assert_int_equal(uc_pirq_needs_eoi(&m->d, EDGE, &needs), 0);
	assert_false(needs);
	assert_int_equal(uc_pirq_needs_eoi(&m->d, LEVEL, &needs), 0);
	assert_true(needs);
}

static void status_tells_the_pirq(void **state)
{
	struct machine *m = boot(state);
	struct evtchn_status s = {.dom = DOMID_SELF, .port = bind(m, LEVEL)};

	assert_int_equal(OP(m, 0, EVTCHNOP_status, &s), 0);
	assert_int_equal(s.status, EVTCHNSTAT_pirq);
	assert_int_equal(s.u.pirq, LEVEL);
}

static void without_a_free_port_the_pirq_stays_free(void **state)
{
	struct machine *m = boot(state);
	uint32_t port, last;

	assert_int_equal(uc_domain_set_quota(&m->d, 6), 0);
	assert_int_equal(uc_bind_ipi(&m->d, 0, &last), 0);
	assert_int_equal(uc_bind_pirq(&m->d, EDGE, &port), -XEN_ENOSPC);
	assert_int_equal(uc_close(&m->d, last), 0);
	assert_int_equal(bind(m, EDGE), last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_edge_is_an_event),
		TEST(a_line_is_one_event_until_its_eoi),
		TEST(a_line_still_asserted_at_its_eoi_is_delivered_again),
		TEST(a_line_asserted_before_the_bind_is_delivered_then),
		TEST(closing_forgets_the_service_not_the_line),
		TEST(an_edge_that_nobody_bound_is_dropped),
		TEST(a_masked_line_comes_with_the_unmask),
		TEST(it_follows_as_devices_do),
		TEST(bad_ones_are_refused),
		TEST(only_lines_need_an_eoi),
		TEST(status_tells_the_pirq),
		TEST(without_a_free_port_the_pirq_stays_free),
	};

	return cmocka_run_group_tests_name("pirq", tests, NULL, NULL);
}
