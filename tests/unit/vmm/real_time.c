/* SPDX-License-Identifier: MIT */
#include "real_time.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "thread_attr.h"

static void *try(void *may)
{
	*(bool *)may = thread_attr_set(&(struct thread_attr){.policy = SCHED_FIFO, .priority = 2});
	return NULL;
}

void need_real_time(void)
{
	pthread_t thread;
	bool may = false;

	assert_int_equal(pthread_create(&thread, NULL, try, &may), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (may)
		return;
	print_message("skipped: this process may not have real-time threads\n");
	skip();
}

void allow_real_time(bool allowed)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct rlimit limit;

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~(1u << CAP_SYS_NICE);
	if (allowed)
		data[0].effective |= data[0].permitted & 1u << CAP_SYS_NICE;
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
	assert_int_equal(getrlimit(RLIMIT_RTPRIO, &limit), 0);
	limit.rlim_cur = allowed ? limit.rlim_max : 0;
	assert_int_equal(setrlimit(RLIMIT_RTPRIO, &limit), 0);
}
