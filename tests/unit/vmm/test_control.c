/* SPDX-License-Identifier: MIT */
/* The control thread's loop: vmm/control.c. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/control.h"

#define SOURCES 3u

struct loop {
	struct uc_control control;
	struct uc_source sources[SOURCES];
	uint32_t calls[SOURCES], last_events;
	struct uc_source *switch_off; /* what the next handler switches off */
};

static struct loop *the_loop;

static void ready(void *ctx, uint32_t events)
{
	struct loop *l = the_loop;

	l->calls[(uint32_t *)ctx - l->calls]++;
	l->last_events = events;
	if (l->switch_off)
		assert_int_equal(uc_control_watch(&l->control, l->switch_off, 0), 0);
	l->switch_off = NULL;
}

static int setup(void **state)
{
	struct loop *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	assert_int_equal(uc_control_open(&l->control), 0);
	for (uint32_t i = 0; i < SOURCES; i++) {
		l->sources[i] = (struct uc_source){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
						   .ready = ready,
						   .ctx = &l->calls[i]};
		assert_true(l->sources[i].fd >= 0);
	}
	*state = the_loop = l;
	return 0;
}

static int teardown(void **state)
{
	struct loop *l = *state;

	for (uint32_t i = 0; i < SOURCES; i++)
		close(l->sources[i].fd);
	uc_control_close(&l->control);
	assert_int_equal(l->control.epoll_fd, -1);
	uc_control_close(&l->control);
	free(l);
	return 0;
}

static void raise_source(struct loop *l, uint32_t i)
{
	uint64_t one = 1;

	assert_int_equal(write(l->sources[i].fd, &one, sizeof(one)), sizeof(one));
}

static int watch(struct loop *l, uint32_t i, uint32_t events)
{
	return uc_control_watch(&l->control, &l->sources[i], events);
}

static void only_what_is_ready_is_called(void **state)
{
	struct loop *l = *state;

	for (uint32_t i = 0; i < SOURCES; i++)
		assert_int_equal(watch(l, i, EPOLLIN), 0);
	raise_source(l, 1);
	assert_int_equal(uc_control_step(&l->control), 0);
	assert_int_equal(l->calls[0], 0);
	assert_int_equal(l->calls[1], 1);
	assert_int_equal(l->calls[2], 0);
	assert_int_equal(l->last_events, EPOLLIN);
}

static void watching_twice_is_once(void **state)
{
	struct loop *l = *state;

	assert_int_equal(watch(l, 0, EPOLLIN), 0);
	assert_int_equal(watch(l, 0, EPOLLIN), 0);
	raise_source(l, 0);
	assert_int_equal(uc_control_step(&l->control), 0);
	assert_int_equal(l->calls[0], 1);
}

static void a_source_is_changed_switched_off_and_on(void **state)
{
	struct loop *l = *state;

	assert_int_equal(watch(l, 0, 0), 0); /* never on: nothing to do */
	assert_int_equal(watch(l, 0, EPOLLIN), 0);
	assert_int_equal(watch(l, 0, EPOLLOUT), 0);
	assert_int_equal(uc_control_step(&l->control), 0);
	assert_int_equal(l->last_events, EPOLLOUT);
	assert_int_equal(watch(l, 0, 0), 0);
	assert_int_equal(watch(l, 0, 0), 0);
	assert_int_equal(watch(l, 1, EPOLLOUT), 0);
	assert_int_equal(uc_control_step(&l->control), 0);
	assert_int_equal(l->calls[0], 1);
	assert_int_equal(l->calls[1], 1);
	assert_int_equal(watch(l, 0, EPOLLOUT), 0);
	assert_int_equal(uc_control_step(&l->control), 0);
	assert_int_equal(l->calls[0], 2);
}

static void one_switched_off_in_the_same_step_is_not_called(void **state)
{
	struct loop *l = *state;

	assert_int_equal(watch(l, 0, EPOLLIN), 0);
	assert_int_equal(watch(l, 1, EPOLLIN), 0);
	raise_source(l, 0);
	raise_source(l, 1);
	l->switch_off = &l->sources[1];
	assert_int_equal(uc_control_step(&l->control), 0);
	/* Ready descriptors come in the order in which they became so. */
	assert_int_equal(l->calls[0], 1);
	assert_int_equal(l->calls[1], 0);
}

static void a_handler_may_switch_itself_off(void **state)
{
	struct loop *l = *state;

	assert_int_equal(watch(l, 0, EPOLLIN), 0);
	assert_int_equal(watch(l, 1, EPOLLOUT), 0);
	raise_source(l, 0);
	l->switch_off = &l->sources[0];
	assert_int_equal(uc_control_step(&l->control), 0);
	l->switch_off = NULL;
	l->calls[0] = l->calls[1] = 0;
	assert_int_equal(watch(l, 0, 0), 0);
	assert_int_equal(uc_control_step(&l->control), 0);
	assert_int_equal(l->calls[0], 0);
	assert_int_equal(l->calls[1], 1);
}

static void a_bad_descriptor_is_an_error_and_stays_off(void **state)
{
	struct loop *l = *state;
	struct uc_source bad = {.fd = -1, .ready = ready, .ctx = &l->calls[0]};

	assert_int_equal(uc_control_watch(&l->control, &bad, EPOLLIN), -EBADF);
	assert_int_equal(bad.events, 0);
}

static void on_alarm(int number)
{
	(void)number;
}

static void a_signal_is_no_error(void **state)
{
	struct loop *l = *state;
	struct sigaction action = {.sa_handler = on_alarm}, old;
	struct itimerval soon = {.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000},
			 off = {0};

	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(uc_control_step(&l->control), 0);
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
}

static void a_closed_loop_is_an_error(void **state)
{
	struct loop *l = *state;

	uc_control_close(&l->control);
	assert_int_equal(uc_control_step(&l->control), -EBADF);
	assert_int_equal(watch(l, 0, EPOLLIN), -EBADF);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(only_what_is_ready_is_called),
		TEST(watching_twice_is_once),
		TEST(a_source_is_changed_switched_off_and_on),
		TEST(one_switched_off_in_the_same_step_is_not_called),
		TEST(a_handler_may_switch_itself_off),
		TEST(a_bad_descriptor_is_an_error_and_stays_off),
		TEST(a_signal_is_no_error),
		TEST(a_closed_loop_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
