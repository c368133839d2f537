/* SPDX-License-Identifier: MIT */
/*
 * UC_EVTCHNOP_SET_AFFINITY: what an enlightened guest may say of where a port's events go.
 *
 * Machine a has memory for sets, b has none. vCPUs are live by an IPI each (ports 1 to VCPUS).
 */
#include "fixture.h"

#include <upcall/route.h>
#include <xen/errno.h>

static struct machine *machine_a(void **state)
{
	return ((struct world *)*state)->a;
}

static uint32_t start(struct machine *m, struct line *l, enum uc_policy policy)
{
	start_fifo(m, 1);
	open_ipis(m);
	assert_int_equal(uc_domain_set_policy(&m->d, policy), 0);
	return open_line(m, l, 0);
}

static int ask(struct machine *m, const struct uc_evtchn_set_affinity *arg)
{
	struct uc_evtchn_set_affinity copy = *arg;

	return uc_evtchn_op(&m->vcpus[0], UC_EVTCHNOP_SET_AFFINITY, &copy);
}

static int ask_for(struct machine *m, uint32_t port, uint64_t set)
{
	return ask(m, &(struct uc_evtchn_set_affinity){.port = port, .vcpus = {set}});
}

static void it_narrows_and_gives_back(void **state)
{
	struct machine *a = machine_a(state);
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_ROUND_ROBIN);

	assert_int_equal(ask_for(a, port, 1u << 2), 0);
	for (int i = 0; i < 8; i++) {
		a->nr_log = 0;
		raise_line(&l);
		run_all(a);
		assert_int_equal(a->nr_log, 1);
		assert_int_equal(a->log[0].vcpu, 2);
	}
	assert_int_equal(ask_for(a, port, 0), 0);
	for (uint32_t v = 0; v < VCPUS; v++)
		assert_true(uc_port_may_use(&a->d, port, v));
}

static void it_does_not_widen_the_host_s_set(void **state)
{
	struct machine *a = machine_a(state);
	const uint64_t two = 0x3;
	struct line l;
	uint32_t port = start(a, &l, UC_POLICY_FOLLOW);

	assert_int_equal(uc_domain_set_affinity(&a->d, &two), 0);
	assert_int_equal(ask_for(a, port, 1u << 2), -XEN_EPERM);
	assert_int_equal(ask_for(a, port, 0x7), -XEN_EPERM);
	assert_false(uc_port_may_use(&a->d, port, 2));
	assert_true(uc_port_may_use(&a->d, port, 0));
	assert_int_equal(ask_for(a, port, 0x2), 0);
	assert_false(uc_port_may_use(&a->d, port, 0));
	assert_true(uc_port_may_use(&a->d, port, 1));
}

static void what_is_asked_is_checked(void **state)
{
	struct machine *a = machine_a(state);
	struct uc_evtchn_set_affinity arg = {.vcpus = {1}};
	struct line l;

	arg.port = start(a, &l, UC_POLICY_FOLLOW);
	assert_int_equal(ask(a, &arg), 0);
	arg.zero = 1;
	assert_int_equal(ask(a, &arg), -XEN_EINVAL);
	arg.zero = 0;
	arg.vcpus[3] = 1ull << 63;
	assert_int_equal(ask(a, &arg), -XEN_EINVAL);
	assert_int_equal(ask_for(a, arg.port, 1ull << VCPUS), -XEN_EINVAL);
	assert_int_equal(ask_for(a, 1, 1), -XEN_EINVAL); /* an IPI */
	assert_int_equal(ask_for(a, 0, 1), -XEN_EINVAL);
	assert_int_equal(ask_for(a, UINT32_MAX, 1), -XEN_EINVAL);
	assert_int_equal(ask_for(a, l.e.port + 1, 1), -XEN_EINVAL); /* free */
}

static void without_memory_for_sets_there_is_none(void **state)
{
	struct machine *b = ((struct world *)*state)->b;
	struct line l;
	uint32_t port = start(b, &l, UC_POLICY_FOLLOW);

	assert_int_equal(ask_for(b, port, 1), -XEN_EOPNOTSUPP);
}

static void its_number_stands_alone(void **state)
{
	bool out = true;

	(void)state;
	assert_int_equal(uc_evtchn_arg_size(UC_EVTCHNOP_SET_AFFINITY, &out),
			 sizeof(struct uc_evtchn_set_affinity));
	assert_false(out);
	assert_int_equal(uc_evtchn_arg_size(UC_EVTCHNOP_SET_AFFINITY - 1, &out), -XEN_ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_narrows_and_gives_back), TEST(it_does_not_widen_the_host_s_set),
		TEST(what_is_asked_is_checked),	 TEST(without_memory_for_sets_there_is_none),
		TEST(its_number_stands_alone),
	};

	return cmocka_run_group_tests_name("affinity_op", tests, NULL, NULL);
}
