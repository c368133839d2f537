/* SPDX-License-Identifier: MIT */
/* The classes of VIRQs: of a vCPU, of a domain, global with a handler. */
#include "fixture.h"

#include <xen/errno.h>
#include <xen/xen.h>

static const uint32_t globals[] = {VIRQ_CONSOLE,  VIRQ_DOM_EXC,	   VIRQ_TBUF,	   VIRQ_DEBUGGER,
				   VIRQ_CON_RING, VIRQ_PCPU_STATE, VIRQ_MEM_EVENT, VIRQ_ENOMEM,
				   VIRQ_ARCH_0,	  VIRQ_ARCH_7};
#define NR_GLOBALS (sizeof(globals) / sizeof(globals[0]))

static void global_ones_belong_to_nobody_at_first(void **state)
{
	struct world *w = *state;
	uint32_t port;

	start_fifo(w->a, 1);
	for (size_t i = 0; i < NR_GLOBALS; i++) {
		assert_int_equal(uc_bind_virq(&w->a->d, globals[i], 0, &port), -XEN_EBUSY);
		assert_int_equal(uc_global_virq_raise(&w->host, globals[i]), 0);
	}
	assert_int_equal(w->a->d.open_ports, 0);
}

static void a_global_one_goes_to_its_handler(void **state)
{
	struct world *w = *state;
	uint32_t port;

	start_fifo(w->a, 1);
	start_fifo(w->b, 1);
	for (size_t i = 0; i < NR_GLOBALS; i++) {
		assert_int_equal(uc_host_set_virq_handler(&w->host, globals[i], ID_B), 0);
		assert_int_equal(uc_bind_virq(&w->a->d, globals[i], 0, &port), -XEN_EBUSY);
		assert_int_equal(uc_global_virq_raise(&w->host, globals[i]), 0);
		assert_int_equal(uc_bind_virq(&w->b->d, globals[i], 0, &port), 0);
		assert_int_equal(run_all(w->b), 0); /* what came before the bind is gone */
		assert_int_equal(uc_global_virq_raise(&w->host, globals[i]), 0);
		assert_int_equal(run_all(w->b), 1);
		assert_int_equal(times_handled(w->b, port), 1);
	}
	assert_int_equal(run_all(w->a), 0);
}

static void a_former_handler_gets_nothing_more(void **state)
{
	struct world *w = *state;
	uint32_t a, b;

	start_fifo(w->a, 1);
	start_fifo(w->b, 1);
	uc_host_set_virq_handler(&w->host, VIRQ_CONSOLE, ID_A);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_CONSOLE, 0, &a), 0);
	assert_int_equal(uc_host_set_virq_handler(&w->host, VIRQ_CONSOLE, ID_B), 0);
	assert_int_equal(uc_bind_virq(&w->b->d, VIRQ_CONSOLE, 0, &b), 0);
	uc_global_virq_raise(&w->host, VIRQ_CONSOLE);
	assert_int_equal(run_all(w->a), 0);
	assert_int_equal(run_all(w->b), 1);
	assert_int_equal(uc_close(&w->a->d, a), 0);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_CONSOLE, 0, &a), -XEN_EBUSY);
	assert_int_equal(uc_host_set_virq_handler(&w->host, VIRQ_CONSOLE, UC_DOMID_HOST), 0);
	uc_global_virq_raise(&w->host, VIRQ_CONSOLE);
	assert_int_equal(run_all(w->a) + run_all(w->b), 0);
}

/* XSA-496: the error path of another VIRQ's bind undid what a handler had. */
static void a_failing_bind_changes_nothing_of_others(void **state)
{
	struct world *w = *state;
	uint32_t port, mine;

	start_fifo(w->a, 1);
	start_fifo(w->b, 1);
	uc_host_set_virq_handler(&w->host, VIRQ_DOM_EXC, ID_B);
	assert_int_equal(uc_bind_virq(&w->b->d, VIRQ_DOM_EXC, 0, &mine), 0);
	uc_domain_set_quota(&w->a->d, 2);
	assert_int_equal(uc_bind_ipi(&w->a->d, 0, &port), 0);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DEBUG, 0, &port), -XEN_ENOSPC);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DOM_EXC, 0, &port), -XEN_EBUSY);
	uc_global_virq_raise(&w->host, VIRQ_DOM_EXC);
	assert_int_equal(run_all(w->b), 1);
	assert_int_equal(uc_domain_set_quota(&w->a->d, UC_FIFO_PORTS), 0);
	assert_int_equal(uc_bind_virq(&w->a->d, VIRQ_DEBUG, 0, &port), 0);
}

static void a_domain_that_goes_handles_nothing(void **state)
{
	struct world *w = *state;

	uc_host_set_virq_handler(&w->host, VIRQ_TBUF, ID_B);
	uc_host_set_virq_handler(&w->host, VIRQ_CONSOLE, ID_A);
	uc_domain_destroy(&w->b->d);
	assert_int_equal(w->host.virq_handler[VIRQ_TBUF], UC_DOMID_HOST);
	assert_int_equal(w->host.virq_handler[VIRQ_CONSOLE], ID_A);
	assert_int_equal(uc_global_virq_raise(&w->host, VIRQ_TBUF), 0);
	assert_int_equal(uc_domain_init(&w->b->d, &(struct uc_domain_config){.host = &w->host,
									     .id = ID_B,
									     .vcpus = w->b->vcpus,
									     .nr_vcpus = VCPUS,
									     .ports = w->b->ports,
									     .nr_ports = PORTS}),
			 0);
}

static void only_global_ones_have_handlers(void **state)
{
	struct world *w = *state;

	assert_int_equal(uc_host_set_virq_handler(&w->host, VIRQ_TIMER, ID_A), -XEN_EINVAL);
	assert_int_equal(uc_host_set_virq_handler(&w->host, VIRQ_ARGO, ID_A), -XEN_EINVAL);
	assert_int_equal(uc_host_set_virq_handler(&w->host, UC_VIRQS, ID_A), -XEN_EINVAL);
	assert_int_equal(uc_host_set_virq_handler(&w->host, VIRQ_TBUF, ID_NONE), -XEN_ESRCH);
	assert_int_equal(uc_global_virq_raise(&w->host, VIRQ_TIMER), -XEN_EINVAL);
	assert_int_equal(uc_global_virq_raise(&w->host, UC_VIRQS), -XEN_EINVAL);
	assert_int_equal(uc_virq_raise(&w->a->vcpus[0], VIRQ_TBUF), -XEN_EINVAL);
}

static void the_domains_own_is_bound_once(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	uint32_t port, again;

	start_fifo(a, 1);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_ARGO, 1, &port), -XEN_EINVAL);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_ARGO, 0, &port), 0);
	assert_int_equal(uc_bind_virq(&a->d, VIRQ_ARGO, 0, &again), -XEN_EEXIST);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
		assert_int_equal(uc_virq_raise(&a->vcpus[vcpu], VIRQ_ARGO), 0);
		assert_int_equal(run_all(a), 1);
	}
	assert_int_equal(times_handled(a, port), VCPUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(global_ones_belong_to_nobody_at_first),
		TEST(a_global_one_goes_to_its_handler),
		TEST(a_former_handler_gets_nothing_more),
		TEST(a_failing_bind_changes_nothing_of_others),
		TEST(a_domain_that_goes_handles_nothing),
		TEST(only_global_ones_have_handlers),
		TEST(the_domains_own_is_bound_once),
	};

	return cmocka_run_group_tests_name("virq", tests, NULL, NULL);
}
