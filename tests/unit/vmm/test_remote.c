/* SPDX-License-Identifier: MIT */
/*
 * vCPUs that set each other's attributes (remote.c) on real threads: each call is carried out on
 * its target's thread, none is lost, none locks up, and the machine may stop at any moment.
 */
#include "fake_kvm.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "vmm/kvm/remote.h"

#define CALLS  2000u
#define ROUNDS 60u
#define ATTR   KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR

struct caller {
	uint32_t done, interrupted;
	int other_result; /* the last that was neither 0 nor -EINTR */
};

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static uint32_t attrs_of(struct machine *m, uint32_t vcpu)
{
	return m->vcpu_attrs[vcpu][ATTR];
}

/* "Guest code": each round asks the next vCPU, then the one after it, and so on. */
static bool ask_others(struct machine *m, struct uc_vm_vcpu *v)
{
	struct caller *c = (struct caller *)m->cookie + v->id;
	uint32_t other = (v->id + 1 + c->done % (VCPUS - 1)) % VCPUS;
	int rc;

	if (c->done == CALLS) {
		pause_ns(20000);
		return false;
	}
	rc = uc_vcpu_set_attr(v, &m->vm.vcpus[other], ATTR, c->done * 64);
	if (rc == -EINTR)
		c->interrupted++;
	else if (rc)
		c->other_result = rc;
	__atomic_store_n(&c->done, c->done + 1, __ATOMIC_RELEASE);
	return false;
}

/* Threads exist before the first asks: see machine_start(). */
static bool wait_for_go(struct machine *m, struct uc_vm_vcpu *v)
{
	if (__atomic_load_n(&m->running, __ATOMIC_SEQ_CST) < VCPUS) {
		sched_yield();
		return false;
	}
	return ask_others(m, v);
}

static void all_ask_all_and_all_is_done(void **state)
{
	struct machine *m = *state;
	struct caller callers[VCPUS] = {0};

	m->cookie = callers;
	m->on_run = wait_for_go;
	machine_start(m, 0);
	for (uint32_t i = 0; i < VCPUS; i++)
		while (__atomic_load_n(&callers[i].done, __ATOMIC_ACQUIRE) < CALLS)
			pause_ns(100000);
	machine_stop(m, UC_VM_POWEROFF);
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_int_equal(callers[i].interrupted, 0);
		assert_int_equal(callers[i].other_result, 0);
	}
	assert_int_equal(attrs_of(m, 0) + attrs_of(m, 1) + attrs_of(m, 2) + attrs_of(m, 3),
			 VCPUS * CALLS);
	assert_int_equal(m->foreign_attrs, 0);
}

/* The worst stop: every vCPU waits for another. Each call was carried out or is -EINTR. */
static void stopping_amid_calls_leaves_none_behind(void **state)
{
	struct machine *m = *state;
	struct caller callers[VCPUS];
	uint32_t interrupted = 0, done = 0, carried_out;

	m->on_run = wait_for_go;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < VCPUS; i++)
			callers[i] = (struct caller){0};
		m->cookie = callers;
		m->vm.end = UC_VM_RUNNING;
		m->running = 0;
		machine_start(m, 0);
		pause_ns(10000 + round * 7919 % 700000);
		machine_stop(m, UC_VM_REBOOT);
		for (uint32_t i = 0; i < VCPUS; i++) {
			assert_null(m->vm.vcpus[i].calls);
			assert_int_equal(callers[i].other_result, 0);
			interrupted += callers[i].interrupted;
			done += callers[i].done;
		}
	}
	carried_out = attrs_of(m, 0) + attrs_of(m, 1) + attrs_of(m, 2) + attrs_of(m, 3);
	assert_int_equal(carried_out + interrupted, done);
}

/* ---- a target that does not come out of KVM_RUN until it is let go ---- */

struct asker {
	struct machine *m;
	pthread_t thread;
	int result;
	uint32_t returned;
};

static void *ask_vcpu_1(void *arg)
{
	struct asker *a = arg;

	a->result = uc_vcpu_set_attr(&a->m->vm.vcpus[0], &a->m->vm.vcpus[1], ATTR, 64);
	__atomic_store_n(&a->returned, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_queued(struct machine *m)
{
	bool queued;

	pthread_mutex_lock(&m->vm.lock);
	queued = m->vm.vcpus[1].calls;
	pthread_mutex_unlock(&m->vm.lock);
	return queued;
}

/* vCPU 1 has a thread to be signalled, which serves nothing: it sits in here. */
static bool deaf(struct machine *m, struct uc_vm_vcpu *v)
{
	while (v->id == 1 && !__atomic_load_n((uint32_t *)m->cookie, __ATOMIC_ACQUIRE))
		pause_ns(20000);
	pause_ns(20000);
	return false;
}

static void a_call_nobody_serves_ends_with_the_machine(void **state)
{
	struct machine *m = *state;
	struct asker a = {.m = m};
	static uint32_t let_go; /* vCPU 1 looks at it until the machine is freed */

	m->cookie = &let_go;
	m->on_run = deaf;
	machine_start(m, 1);
	assert_int_equal(pthread_create(&a.thread, NULL, ask_vcpu_1, &a), 0);
	while (!is_queued(m))
		pause_ns(20000);
	assert_int_equal(__atomic_load_n(&a.returned, __ATOMIC_ACQUIRE), 0);
	uc_vm_stop(&m->vm, UC_VM_POWEROFF);
	pthread_mutex_lock(&m->vm.lock);
	pthread_cond_broadcast(&m->vm.called);
	pthread_mutex_unlock(&m->vm.lock);
	pthread_join(a.thread, NULL);
	assert_int_equal(a.result, -EINTR);
	assert_null(m->vm.vcpus[1].calls);
	assert_int_equal(attrs_of(m, 1), 0);
	__atomic_store_n(&let_go, 1, __ATOMIC_RELEASE);
}

/* ---- a call that is being carried out while the machine stops ---- */

struct gate {
	uint32_t inside, open;
};

static void hold_in_attr(struct machine *m, struct uc_vm_vcpu *v, uint16_t type)
{
	struct gate *g = m->cookie;

	(void)type;
	if (v->id != 1)
		return;
	__atomic_store_n(&g->inside, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&g->open, __ATOMIC_ACQUIRE))
		pause_ns(20000);
}

static void a_call_under_way_is_waited_for(void **state)
{
	struct machine *m = *state;
	struct asker a = {.m = m};
	struct gate gate = {0};

	m->cookie = &gate;
	m->on_vcpu_attr = hold_in_attr;
	machine_start(m, 1);
	assert_int_equal(pthread_create(&a.thread, NULL, ask_vcpu_1, &a), 0);
	while (!__atomic_load_n(&gate.inside, __ATOMIC_ACQUIRE))
		pause_ns(20000);
	uc_vm_stop(&m->vm, UC_VM_POWEROFF);
	pthread_mutex_lock(&m->vm.lock);
	pthread_cond_broadcast(&m->vm.called);
	pthread_mutex_unlock(&m->vm.lock);
	pause_ns(5000000);
	/* Its memory is on the asker's stack: it must not have gone. */
	assert_int_equal(__atomic_load_n(&a.returned, __ATOMIC_ACQUIRE), 0);
	__atomic_store_n(&gate.open, 1, __ATOMIC_RELEASE);
	pthread_join(a.thread, NULL);
	assert_int_equal(a.result, 0);
	assert_int_equal(attrs_of(m, 1), 1);
}

static void ones_own_attribute_needs_no_thread(void **state)
{
	struct machine *m = *state;

	assert_int_equal(uc_vcpu_set_attr(&m->vm.vcpus[2], &m->vm.vcpus[2], ATTR, 128), 0);
	assert_int_equal(m->vcpu_attr[2][ATTR], 128);
}

static void an_error_comes_back_to_the_asker(void **state)
{
	struct machine *m = *state;

	m->vcpu_attr_errno = ENXIO;
	assert_int_equal(uc_vcpu_set_attr(&m->vm.vcpus[0], &m->vm.vcpus[3], ATTR, 0), -ENXIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_ask_all_and_all_is_done),
		TEST(stopping_amid_calls_leaves_none_behind),
		TEST(a_call_nobody_serves_ends_with_the_machine),
		TEST(a_call_under_way_is_waited_for),
		TEST(ones_own_attribute_needs_no_thread),
		SERVED(an_error_comes_back_to_the_asker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
