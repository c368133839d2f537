/* SPDX-License-Identifier: MIT */
/* The control blocks of all vCPUs in one go, or of none. */
#include "fixture.h"

#include <string.h>

#include <xen/errno.h>

#define FRAME_LIST (FRAME_CONTROL + VCPUS)

static struct machine *boot(void **state)
{
	struct machine *m = ((struct world *)*state)->a;

	start_2l(m);
	return m;
}

static void fill(struct uc_control_place *places)
{
	for (uint32_t i = 0; i < VCPUS; i++)
		places[i] = (struct uc_control_place){.gfn = FRAME_CONTROL + i, .offset = 128 * i};
}

static void none_is_there(struct machine *m)
{
	assert_false(uc_domain_is_fifo(&m->d));
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_null(m->vcpus[i].control);
		assert_null(m->vcpus[i].staged);
		assert_int_equal(m->maps[FRAME_CONTROL + i], 0);
	}
	assert_int_equal(m->maps[FRAME_LIST], 0);
}

static int ask(struct machine *m, uint64_t list_gfn, uint32_t nr_vcpus)
{
	struct uc_evtchn_init_controls arg = {.list_gfn = list_gfn, .nr_vcpus = nr_vcpus};
	int rc = OP(m, 0, UC_EVTCHNOP_INIT_CONTROLS, &arg);

	if (!rc)
		assert_int_equal(arg.link_bits, UC_FIFO_LINK_BITS);
	return rc;
}

static void all_are_registered_at_once(void **state)
{
	struct machine *m = boot(state);
	struct line l;

	fill(frame_of(m, FRAME_LIST));
	assert_int_equal(ask(m, FRAME_LIST, VCPUS), 0);
	assert_true(uc_domain_is_fifo(&m->d));
	assert_int_equal(m->maps[FRAME_LIST], 0);
	m->guest.fifo = true;
	add_page(m);
	for (uint32_t i = 0; i < VCPUS; i++) {
		m->gv[i].control = (void *)((uint8_t *)frame_of(m, FRAME_CONTROL + i) + 128 * i);
		assert_ptr_equal(m->vcpus[i].control, m->gv[i].control);
		open_line(m, &l, i);
		raise_line(&l);
		assert_int_equal(run(m, i), 1);
		uc_endpoint_close(&l.e);
	}
}

static void what_was_raised_before_is_carried_over(void **state)
{
	struct uc_control_place places[VCPUS];
	struct machine *m = boot(state);
	struct line l;

	open_line(m, &l, 2);
	raise_line(&l);
	fill(places);
	for (uint32_t i = 0; i < VCPUS; i++)
		places[i].offset = 0;
	assert_int_equal(uc_init_controls(&m->d, places, VCPUS), 0);
	m->guest.fifo = true;
	for (uint32_t i = 0; i < VCPUS; i++)
		m->gv[i].control = control_of(m, i);
	add_page(m);
	assert_int_equal(run_all(m), 1);
}

/* By vCPUs that had no block yet, while another has made the domain FIFO. */
static void what_waited_for_a_block_is_linked(void **state)
{
	struct uc_control_place places[VCPUS];
	struct machine *m = boot(state);
	struct line l[2];

	start_control(m, 3);
	add_page(m);
	for (uint32_t i = 0; i < 2; i++) {
		open_line(m, &l[i], i);
		raise_line(&l[i]);
	}
	assert_int_equal(run_all(m), 0);
	fill(places);
	assert_int_equal(uc_init_controls(&m->d, places, 3), 0);
	for (uint32_t i = 0; i < 3; i++)
		m->gv[i].control = m->vcpus[i].control;
	assert_int_equal(run(m, 0), 1);
	assert_int_equal(run(m, 1), 1);
}

static void the_first_few_will_do(void **state)
{
	struct machine *m = boot(state);

	fill(frame_of(m, FRAME_LIST));
	assert_int_equal(ask(m, FRAME_LIST, 2), 0);
	assert_non_null(m->vcpus[1].control);
	assert_null(m->vcpus[2].control);
	assert_int_equal(uc_init_control(&m->d, 2, FRAME_CONTROL + 2, 0), 0);
}

/* Each place in turn is bad, in each way. */
static void one_bad_place_rolls_all_back(void **state)
{
	static const struct uc_control_place bad[] = {
		{.gfn = FRAME_NONE},
		{.gfn = UINT64_MAX},
		{.gfn = FRAME_CONTROL, .offset = 4},
		{.gfn = FRAME_CONTROL, .offset = 4096 - 64},
		{.gfn = FRAME_CONTROL, .offset = UINT32_MAX - 7},
		{.gfn = FRAME_CONTROL, .zero = 1},
	};
	struct machine *m = boot(state);

	for (uint32_t i = 0; i < VCPUS; i++) {
		for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
			struct uc_control_place *list = frame_of(m, FRAME_LIST);

			fill(list);
			list[i] = bad[j];
			assert_int_equal(ask(m, FRAME_LIST, VCPUS), -XEN_EINVAL);
			none_is_there(m);
		}
	}
	fill(frame_of(m, FRAME_LIST));
	assert_int_equal(ask(m, FRAME_LIST, VCPUS), 0);
}

static void one_that_has_its_block_refuses_all(void **state)
{
	struct machine *m = boot(state);

	start_control(m, 2);
	fill(frame_of(m, FRAME_LIST));
	assert_int_equal(ask(m, FRAME_LIST, VCPUS), -XEN_EINVAL);
	assert_null(m->vcpus[0].control);
	assert_null(m->vcpus[3].control);
	assert_ptr_equal(m->vcpus[2].control, control_of(m, 2));
	assert_int_equal(m->maps[FRAME_CONTROL + 2], 1);
	assert_int_equal(m->maps[FRAME_CONTROL], 0);
}

static void bad_lists_are_refused(void **state)
{
	struct uc_evtchn_init_controls arg = {.list_gfn = FRAME_LIST, .nr_vcpus = 1, .zero = {1}};
	struct machine *m = boot(state);

	fill(frame_of(m, FRAME_LIST));
	assert_int_equal(ask(m, FRAME_NONE, VCPUS), -XEN_EINVAL);
	assert_int_equal(ask(m, FRAME_LIST, 0), -XEN_EINVAL);
	assert_int_equal(ask(m, FRAME_LIST, VCPUS + 1), -XEN_EINVAL);
	assert_int_equal(ask(m, FRAME_LIST, UINT32_MAX), -XEN_EINVAL);
	assert_int_equal(OP(m, 0, UC_EVTCHNOP_INIT_CONTROLS, &arg), -XEN_EINVAL);
	assert_int_equal(uc_init_controls(&m->d, frame_of(m, FRAME_LIST), 0), -XEN_EINVAL);
	assert_int_equal(uc_init_controls(&m->d, frame_of(m, FRAME_LIST), VCPUS + 1), -XEN_EINVAL);
	none_is_there(m);
}

/* More vCPUs than a frame of the list has places for. */
static void a_long_list_goes_on_in_the_next_frame(void **state)
{
	struct world *w = *state;
	struct machine *m = w->a;
	struct uc_control_place *list = frame_of(m, FRAME_EVENTS);
	static struct uc_vcpu vcpus[300];
	static struct uc_port ports[2];
	static uint64_t once;

	uc_domain_destroy(&m->d);
	memset(&m->d, 0, sizeof(m->d));
	assert_int_equal(once++, 0);
	assert_int_equal(uc_domain_init(&m->d, &(struct uc_domain_config){.host = &w->host,
									  .id = ID_A,
									  .vcpus = vcpus,
									  .nr_vcpus = 300,
									  .ports = ports,
									  .nr_ports = 2}),
			 0);
	for (uint32_t i = 0; i < 300; i++)
		list[i] = (struct uc_control_place){.gfn = FRAME_CONTROL + i / 50,
						    .offset = i % 50 * 80};
	list[299].offset = 1;
	assert_int_equal(uc_evtchn_op(&vcpus[0], UC_EVTCHNOP_INIT_CONTROLS,
				      &(struct uc_evtchn_init_controls){.list_gfn = FRAME_EVENTS,
									.nr_vcpus = 300}),
			 -XEN_EINVAL);
	assert_null(vcpus[0].control);
	list[299].offset = 0;
	assert_int_equal(uc_evtchn_op(&vcpus[0], UC_EVTCHNOP_INIT_CONTROLS,
				      &(struct uc_evtchn_init_controls){.list_gfn = FRAME_EVENTS,
									.nr_vcpus = 300}),
			 0);
	for (uint32_t i = 0; i < 300; i++)
		assert_ptr_equal(vcpus[i].control, (uint8_t *)frame_of(m, FRAME_CONTROL + i / 50) +
							   (i == 299 ? 0 : i % 50 * 80));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_are_registered_at_once),
		TEST(what_was_raised_before_is_carried_over),
		TEST(what_waited_for_a_block_is_linked),
		TEST(the_first_few_will_do),
		TEST(one_bad_place_rolls_all_back),
		TEST(one_that_has_its_block_refuses_all),
		TEST(bad_lists_are_refused),
		TEST(a_long_list_goes_on_in_the_next_frame),
	};

	return cmocka_run_group_tests_name("controls", tests, NULL, NULL);
}
