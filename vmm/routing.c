/* SPDX-License-Identifier: MIT */
#include "vmm/routing.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>

#include <xen/xen.h>

#include <xen/vcpu.h>

#include "vmm/latency.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

/* A thread that serves has done its work in this time, or has itself lost the CPU. */
#define DISPLACED_NS 2000000u

int uc_policy_parse(const char *name, enum uc_policy *policy)
{
	for (int i = 0; i < UC_POLICIES; i++) {
		if (!strcmp(name, uc_policy_name((enum uc_policy)i))) {
			*policy = (enum uc_policy)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_number(const char **at, uint32_t *n)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	value = strtoul(*at, &end, 10);
	if (value > UINT32_MAX)
		return -ERANGE;
	*at = end;
	*n = (uint32_t)value;
	return 0;
}

/* One "N" or "N-M" at *at, and the comma behind it. */
static int parse_range(const char **at, uint32_t nr_vcpus, uint64_t *bits)
{
	uint32_t first, last;
	int rc = parse_number(at, &first);

	last = first;
	if (!rc && **at == '-') {
		++*at;
		rc = parse_number(at, &last);
	}
	if (rc)
		return rc;
	if (last < first || (**at && **at != ','))
		return -EINVAL;
	if (last >= nr_vcpus)
		return -ERANGE;
	for (; first <= last; first++)
		bits[first / 64] |= 1ull << (first % 64);
	if (**at == ',' && !*++*at)
		return -EINVAL;
	return 0;
}

int uc_vcpus_parse(const char *list, uint32_t nr_vcpus, uint64_t bits[UC_ROUTING_WORDS])
{
	int rc = *list ? 0 : -EINVAL;

	memset(bits, 0, UC_ROUTING_WORDS * sizeof(bits[0]));
	while (!rc && *list)
		rc = parse_range(&list, nr_vcpus, bits);
	return rc;
}

void uc_vcpus_format(const uint64_t bits[UC_ROUTING_WORDS], uint32_t nr_vcpus, char *text,
		     uint32_t size)
{
	uint32_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < nr_vcpus && used < size; i++)
		if ((bits[i / 64] >> (i % 64)) & 1)
			used += (uint32_t)snprintf(text + used, size - used, used ? ",%u" : "%u",
						   i);
}

int uc_routing_check(const struct uc_routing_config *config, uint32_t nr_vcpus,
		     struct uc_diag *diag)
{
	uint64_t bits[UC_ROUTING_WORDS];
	const char *affinity = config->affinity;
	enum uc_policy policy;

	if (config->policy && uc_policy_parse(config->policy, &policy))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "--policy %s: give pinned, follow, round-robin or random",
			       config->policy);
	if (affinity && strcmp(affinity, "all") && strcmp(affinity, "guest") &&
	    uc_vcpus_parse(affinity, nr_vcpus, bits))
		return uc_fail(
			diag, UC_EXIT_USAGE, EINVAL,
			"--affinity %s: give all, guest, or vCPUs such as 0,2-3 (this machine "
			"has 0 to %u)",
			affinity, nr_vcpus - 1);
	return 0;
}

void uc_routing_set_slice(const struct uc_vm_vcpu *v)
{
	bool follows = __atomic_load_n(&v->vm->domain.policy, __ATOMIC_RELAXED) == UC_POLICY_FOLLOW;
	pid_t tid = __atomic_load_n(&v->tid, __ATOMIC_ACQUIRE);

	if (tid)
		uc_thread_slice(tid, follows ? v->vm->config->routing.slice_ms * 1000000
					     : UC_SLICE_DEFAULT);
}

int uc_routing_set_policy(struct uc_vm *vm, enum uc_policy policy)
{
	int rc = uc_domain_set_policy(&vm->domain, policy);

	for (uint32_t i = 0; i < vm->nr_vcpus && !rc; i++)
		uc_routing_set_slice(&vm->vcpus[i]);
	return rc;
}

int uc_routing_set_port_policy(struct uc_vm *vm, uint32_t port, enum uc_policy policy)
{
	__atomic_store_n(&vm->watch.ports_differ, 1, __ATOMIC_RELAXED);
	return uc_port_set_policy(&vm->domain, port, policy);
}

static __thread bool is_calm;

void uc_routing_set_calm(bool calm)
{
	is_calm = calm;
}

bool uc_routing_is_calm(void)
{
	return is_calm;
}

/* One that follows is at a vCPU that waits for a CPU only when no other could take it at once. */
void uc_routing_queued(struct uc_vm *vm, const struct uc_vcpu *v)
{
	uint32_t policy = __atomic_load_n(&vm->domain.policy, __ATOMIC_RELAXED);
	bool boosts = uc_boost_is_on(vm);
	uint64_t since;

	if (policy == UC_POLICY_PINNED && !boosts &&
	    !__atomic_load_n(&vm->watch.ports_differ, __ATOMIC_RELAXED))
		return;
	if (is_calm)
		uc_watch_calmly(vm, v->id);
	else
		uc_watch_queued(vm, v->id,
				boosts && uc_vm_run_state(vm, v, &since) == UC_VCPU_PREEMPTED);
}

/*
 * What the handler of an event wakes by an IPI, a task on another vCPU say, is work of that event.
 * Told of what is sent, not of kicks: none comes for a vCPU that has not taken an earlier one.
 */
static void pass_on(struct uc_vm *vm, uint32_t from, uint32_t to)
{
	uint64_t since;

	if (to != from && to < vm->nr_vcpus && uc_watch_may_pass_on(vm, from))
		uc_watch_inherited(vm, to,
				   uc_vm_run_state(vm, &vm->evtchn_vcpus[to], &since) ==
					   UC_VCPU_PREEMPTED);
}

void uc_routing_sent(struct uc_vm *vm, uint32_t id, uint32_t port)
{
	struct uc_port_info info;

	if (!uc_boost_is_on(vm) || !uc_watch_is_at_work(vm, id) ||
	    uc_port_info(&vm->domain, port, &info))
		return;
	if (info.kind == UC_PORT_IPI)
		pass_on(vm, id, info.vcpu);
	else if (info.kind == UC_PORT_HOST)
		uc_boost_answered(vm, id);
}

void uc_routing_begin(struct uc_vm *vm)
{
	const struct uc_routing_config *config = &vm->config->routing;
	const char *affinity = config->affinity ? config->affinity : "all";
	enum uc_policy policy = UC_POLICY_FOLLOW;
	uint64_t bits[UC_ROUTING_WORDS];

	if (config->policy)
		uc_policy_parse(config->policy, &policy);
	if (!strcmp(affinity, "guest"))
		policy = UC_POLICY_PINNED;
	else if (strcmp(affinity, "all") && !uc_vcpus_parse(affinity, vm->nr_vcpus, bits))
		uc_domain_set_affinity(&vm->domain, bits);
	uc_routing_set_policy(vm, policy);
	uc_trace(UC_TRACE_POLICY, 0, 0, policy);
}

void uc_vm_set_runstate(struct uc_vm *vm, uint32_t id, uint64_t gpa)
{
	/* Only its first two members are read; an area over a page's end goes on physically. */
	__atomic_store_n(&vm->vcpus[id].runstate, uc_mem_at(&vm->mem, gpa, 2 * sizeof(uint64_t)),
			 __ATOMIC_RELEASE);
}

/*
 * Whoever asks runs on a CPU, and may have taken it from a vCPU a moment ago. That one looks
 * preempted, and is likely to run again when the asker sleeps. The guest writes `since_ns`.
 */
static bool is_displaced_by_us(struct uc_vm *vm, const struct uc_vm_vcpu *vcpu, uint64_t since_ns)
{
	const struct rseq *rseq = __atomic_load_n(&vcpu->rseq, __ATOMIC_ACQUIRE);

	return rseq &&
	       __atomic_load_n(&rseq->cpu_id, __ATOMIC_RELAXED) == (uint32_t)sched_getcpu() &&
	       uc_kvm_clock_about_ns(&vm->kvm) < since_ns + DISPLACED_NS;
}

/*
 * KVM writes "runnable" when it takes the CPU away from a vCPU that still wants it, and "running"
 * when it gives it back. It takes no notice of what happens to the thread outside KVM_RUN, where it
 * is in nobody's way only if it still has its CPU: so such a vCPU is second choice, like a blocked
 * one. A halted vCPU looks running, which is as good: it wakes at once. The guest can write there
 * too, and hurts only its own latency.
 */
enum uc_run_state uc_vm_run_state(struct uc_vm *vm, const struct uc_vcpu *v, uint64_t *since)
{
	const struct uc_vm_vcpu *vcpu = &vm->vcpus[v->id];
	const struct vcpu_runstate_info *area = __atomic_load_n(&vcpu->runstate, __ATOMIC_ACQUIRE);

	if (!__atomic_load_n(&vcpu->inside, __ATOMIC_RELAXED))
		return UC_VCPU_BLOCKED;
	if (!area || __atomic_load_n(&area->state, __ATOMIC_RELAXED) != RUNSTATE_runnable)
		return UC_VCPU_RUNNING;
	*since = __atomic_load_n(&area->state_entry_time, __ATOMIC_RELAXED) & ~XEN_RUNSTATE_UPDATE;
	return is_displaced_by_us(vm, vcpu, *since) ? UC_VCPU_RUNNING : UC_VCPU_PREEMPTED;
}
