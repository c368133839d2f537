/* SPDX-License-Identifier: MIT */
#include "vcpu_thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define END	  (1ull << 62)
#define SETTLE_NS 500000

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *thread_main(void *arg)
{
	struct vcpu_thread *t = arg;
	uint64_t ns, until_ns;

	if (!thread_attr_set(&t->attr))
		t->attr.policy = UINT32_MAX;
	__atomic_store_n(&t->vcpu->tid, gettid(), __ATOMIC_RELEASE);
	for (;;) {
		if (eventfd_write(t->done_fd, 1) || eventfd_read(t->asked_fd, &ns) || ns == END)
			return NULL;
		until_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
		while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
			;
	}
}

static bool sleeps(pid_t tid)
{
	char path[64], line[128] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	return strstr(line, ") S ");
}

/* It has done what it was told, and its CPU time stands still. */
static void await_sleep(struct vcpu_thread *t)
{
	eventfd_t done;
	clockid_t clock;
	uint64_t ran_ns;

	assert_int_equal(eventfd_read(t->done_fd, &done), 0);
	assert_int_equal(pthread_getcpuclockid(t->vcpu->thread, &clock), 0);
	do {
		ran_ns = clock_ns(clock);
		nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
	} while (!sleeps(t->vcpu->tid) || clock_ns(clock) != ran_ns);
}

void vcpu_thread_start(struct vcpu_thread *t, struct uc_vm_vcpu *vcpu,
		       const struct thread_attr *attr)
{
	*t = (struct vcpu_thread){.vcpu = vcpu,
				  .asked_fd = eventfd(0, EFD_CLOEXEC),
				  .done_fd = eventfd(0, EFD_CLOEXEC)};
	t->attr = attr ? *attr : (struct thread_attr){.nice = thread_attr(0).nice};
	assert_true(t->asked_fd >= 0 && t->done_fd >= 0);
	assert_int_equal(pthread_create(&vcpu->thread, NULL, thread_main, t), 0);
	vcpu->started = true;
	await_sleep(t);
	assert_int_not_equal(t->attr.policy, UINT32_MAX);
}

void vcpu_thread_work(struct vcpu_thread *t, uint64_t ns)
{
	assert_int_equal(eventfd_write(t->asked_fd, ns), 0);
	await_sleep(t);
}

struct thread_attr vcpu_thread_attr(const struct vcpu_thread *t)
{
	return thread_attr(t->vcpu->tid);
}

void vcpu_thread_end(struct vcpu_thread *t)
{
	if (!t->vcpu)
		return;
	assert_int_equal(eventfd_write(t->asked_fd, END), 0);
	assert_int_equal(pthread_join(t->vcpu->thread, NULL), 0);
	t->vcpu->started = false;
	t->vcpu->tid = 0;
	close(t->asked_fd);
	close(t->done_fd);
	*t = (struct vcpu_thread){0};
}
