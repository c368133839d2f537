/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_reset, alone and as the first half of a kexec, before each atomic access of a raise, an
 * unmask, a hand-over, and the other way round: see play.h.
 */
#include "play.h"

#include <upcall/route.h>
#include <xen/errno.h>

#include "step.h"

static void setup_lines(struct scene *s)
{
	start_fifo(s->a, 1);
	open_ipis(s->a);
	for (int i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
	uc_domain_set_policy(&s->a->d, UC_POLICY_FOLLOW);
}

static void setup_preempted(struct scene *s)
{
	setup_lines(s);
	for (int i = 0; i < 3; i++)
		raise_line(&s->l[i]);
	s->a->state[0] = UC_VCPU_PREEMPTED;
}

/* The third line is a back end's, which the reset closes. */
static void setup_back_end(struct scene *s)
{
	uint32_t port;

	setup_lines(s);
	uc_endpoint_close(&s->l[2].e);
	uc_close(&s->a->d, s->port[2]);
	assert_int_equal(uc_alloc_unbound(&s->a->d, UC_DOMID_HOST, &port), 0);
	assert_int_equal(port, s->port[2]);
	assert_int_equal(uc_endpoint_bind(&s->l[2].e, &s->a->d, port), 0);
}

static void setup_moved(struct scene *s)
{
	setup_lines(s);
	raise_line(&s->l[0]);
	raise_line(&s->l[1]);
	run_all(s->a);
	uc_set_priority(&s->a->d, s->port[0], 3);
}

static void setup_masked(struct scene *s)
{
	setup_lines(s);
	uc_guest_mask(&s->a->guest, s->port[0]);
	raise_line(&s->l[0]);
}

static void setup_2l(struct scene *s)
{
	start_2l(s->a);
	for (int i = 0; i < 3; i++)
		s->port[i] = open_line(s->a, &s->l[i], 0);
}

static void raise_all(struct scene *s)
{
	play_uncertain++; /* one that went astray is counted, and raised again */
	for (int i = 0; i < 3; i++)
		uc_endpoint_raise(&s->l[i].e);
}

static void unmask(struct scene *s)
{
	uc_unmask(&s->a->d, s->port[0]);
}

static void hand_over(struct scene *s)
{
	uc_vcpu_handover(&s->a->vcpus[0]);
}

static void reset(struct scene *s)
{
	play_uncertain++;
	assert_int_equal(reset_all(s->a), 0);
}

static void kexec(struct scene *s)
{
	reset(s);
	start_fifo(s->a, 1);
	open_ipis(s->a);
}

static void kexec_twice(struct scene *s)
{
	kexec(s);
	run_all(s->a);
	kexec(s);
}

/* It may come in the middle of one that another vCPU makes. */
static void reset_too(struct scene *s)
{
	int rc = uc_reset(&s->a->d, false);

	assert_true(rc == 0 || rc == -XEN_EBUSY);
	s->extra += rc == 0;
}

static void resume(struct scene *s)
{
	int rc = uc_reset(&s->a->d, true);

	assert_int_equal(rc, -XEN_EBUSY);
}

/* Whatever happened: from now on each raise is handled, once. */
static void all_lines_work(struct scene *s)
{
	for (int i = 0; i < 3; i++) {
		uint32_t before = times_handled(s->a, s->port[i]);
		int rc = uc_endpoint_raise(&s->l[i].e);

		run_all(s->a);
		assert_int_equal(times_handled(s->a, s->port[i]), before + (rc == 0));
		assert_true(rc == 0 || i == 2);
	}
	assert_int_equal(s->a->astray, 0);
}

static const struct pair pairs[] = {
	RAISE(setup_lines, reset, raise_all, all_lines_work),
	PAIR(setup_lines, raise_all, reset, all_lines_work),
	RAISE(setup_lines, kexec, raise_all, all_lines_work),
	PAIR(setup_lines, raise_all, kexec, all_lines_work),
	PAIR(setup_lines, raise_all, kexec_twice, all_lines_work),
	PAIR(setup_moved, raise_all, kexec, all_lines_work),
	RAISE(setup_moved, kexec, raise_all, all_lines_work),
	PAIR(setup_back_end, raise_all, kexec, all_lines_work),
	RAISE(setup_back_end, kexec, raise_all, all_lines_work),
	RAISE(setup_masked, reset, unmask, all_lines_work),
	PAIR(setup_masked, unmask, kexec, all_lines_work),
	PAIR(setup_preempted, hand_over, reset, all_lines_work),
	PAIR(setup_preempted, hand_over, kexec, all_lines_work),
	RAISE(setup_preempted, reset, hand_over, all_lines_work),
	RAISE(setup_preempted, kexec, hand_over, all_lines_work),
	PAIR(setup_2l, raise_all, reset, all_lines_work),
	RAISE(setup_2l, reset, raise_all, all_lines_work),
	PAIR(setup_2l, raise_all, kexec, all_lines_work),
	PAIR(setup_lines, reset, reset_too, all_lines_work),
	PAIR(setup_lines, reset, resume, all_lines_work),
};

int main(void)
{
	return play_group("steps_reset", pairs, sizeof(pairs) / sizeof(pairs[0]), NULL, 0);
}
