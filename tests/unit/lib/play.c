/* SPDX-License-Identifier: MIT */
/* The engine of play.h. */
#include "play.h"

#include <stdlib.h>

#include "step.h"

void (*uc_step_hook)(const volatile void *address);
uint32_t play_uncertain;

static struct {
	struct scene *scene;
	const struct pair *pair;
	uint32_t countdown;
	bool armed;
} plan;

static bool any_queue_lock_held(const struct machine *m)
{
	bool held = false;

	for (uint32_t i = 0; i < 16; i++)
		held |= m->ports[i].lock || m->ports[i].in_endpoint;
	for (uint32_t v = 0; v < VCPUS; v++)
		for (uint32_t i = 0; i < UC_FIFO_QUEUES; i++)
			held |= m->vcpus[v].queue[i].lock != 0;
	return held;
}

bool any_lock_held(const struct machine *m)
{
	return m->d.lock || any_queue_lock_held(m);
}

/* Would the second party wait for a lock of m? */
static bool would_wait(const struct machine *m)
{
	if (plan.pair->when == WITHOUT_LOCKS)
		return any_lock_held(m);
	return plan.pair->when == WITHOUT_QUEUE_LOCKS && any_queue_lock_held(m);
}

static void step(const volatile void *address)
{
	(void)address;
	if (!plan.armed)
		return;
	if (plan.countdown) {
		plan.countdown--;
		return;
	}
	if (would_wait(plan.scene->a) || would_wait(plan.scene->b))
		return;
	plan.armed = false;
	plan.scene->w->strict = true;
	plan.pair->second(plan.scene);
	plan.scene->w->strict = false;
}

void all_handled(struct machine *m)
{
	run_all(m);
	for (uint32_t port = 1; port < uc_ports_valid(&m->d); port++) {
		struct uc_port_info info;

		assert_int_equal(uc_port_info(&m->d, port, &info), 0);
		if (info.kind == UC_PORT_FREE)
			continue;
		assert_false(info.pending);
		assert_false(info.linked);
		assert_true(times_handled(m, port) + play_uncertain >= info.events);
	}
	if (m->guest.fifo && m->guest.nr_words)
		assert_int_equal(word(m, 0), 0); /* nobody followed a HEAD that was not written */
	assert_int_equal(m->astray, 0);
	assert_false(any_lock_held(m));
}

/* Returns false when the first party is done before its n-th access. */
static bool play(const struct pair *pair, uint32_t n)
{
	struct scene s = {.w = world_create()};
	bool reached;

	s.a = s.w->a;
	s.b = s.w->b;
	pair->setup(&s);
	plan.scene = &s;
	plan.pair = pair;
	plan.countdown = n;
	play_uncertain = 0;
	plan.armed = true;
	uc_step_hook = step;
	pair->first(&s);
	uc_step_hook = NULL;
	reached = !plan.countdown;
	s.w->strict = true;
	if (plan.armed)
		pair->second(&s);
	plan.armed = false;
	all_handled(s.a);
	all_handled(s.b);
	if (pair->check)
		pair->check(&s);
	world_destroy(s.w);
	return reached;
}

void play_all(void **state)
{
	const struct pair *pair = *state;
	uint32_t n = 0;

	while (play(pair, n))
		n++;
	assert_true(n > 0);
}

int play_group(const char *name, const struct pair *pairs, size_t nr,
	       const struct CMUnitTest *extra, size_t nr_extra)
{
	struct CMUnitTest *tests = calloc(nr + nr_extra, sizeof(*tests));
	int failed;

	assert_non_null(tests);
	for (size_t i = 0; i < nr; i++)
		tests[i] = (struct CMUnitTest){
			.name = pairs[i].name,
			.test_func = play_all,
			.initial_state = (void *)(uintptr_t)&pairs[i],
		};
	for (size_t i = 0; i < nr_extra; i++)
		tests[nr + i] = extra[i];
	failed = _cmocka_run_group_tests(name, tests, nr + nr_extra, NULL, NULL);
	free(tests);
	return failed;
}
