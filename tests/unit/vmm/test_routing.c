/* SPDX-License-Identifier: MIT */
/*
 * vmm/routing.c: policies and lists as a person writes them, what holds once the guest is FIFO, and
 * what a vCPU is doing. The watcher is in test_watch.c, time slices as such in test_latency.c.
 */
#include "fifo_guest.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/vcpu.h>

#include "thread_attr.h"

#define BAD_BITS 0xdeadbeefull

/* ---- lists of vCPUs ---- */

static void assert_list(const char *list, uint32_t nr_vcpus, uint64_t low, uint64_t high)
{
	uint64_t bits[UC_ROUTING_WORDS] = {BAD_BITS, BAD_BITS};

	if (uc_vcpus_parse(list, nr_vcpus, bits))
		fail_msg("refused: %s", list);
	if (bits[0] != low || bits[1] != high)
		fail_msg("%s: %#lx %#lx", list, (unsigned long)bits[0], (unsigned long)bits[1]);
}

static void a_list_names_vcpus_and_ranges(void **state)
{
	(void)state;
	assert_list("0", 1, 1, 0);
	assert_list("3", 4, 8, 0);
	assert_list("0,2-3", 4, 0xd, 0);
	assert_list("2-3,0,0-2", 4, 0xf, 0);
	assert_list("1-1", 4, 2, 0);
	assert_list("007", 8, 0x80, 0);
	assert_list("63-64", 128, 1ull << 63, 1);
	assert_list("0-127", 128, UINT64_MAX, UINT64_MAX);
	assert_list("127", 128, 0, 1ull << 63);
}

static void malformed_lists_are_einval(void **state)
{
	static const char *const lists[] = {
		"",    ",",   "0,",  ",0",   "0,,1", "-",   "-1",   "1-",    "1-,2",
		"3-2", " 1",  "1 ",  "1, 2", "+1",   "0x1", "1--2", "1-2-3", "a",
		"1a",  "1;2", "all", "0-a",  "1.5",  "\t1", "0\n",  "\xff",
	};
	uint64_t bits[UC_ROUTING_WORDS];

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (uc_vcpus_parse(lists[i], 4, bits) != -EINVAL)
			fail_msg("\"%s\" is not -EINVAL", lists[i]);
}

static void vcpus_that_are_not_there_are_erange(void **state)
{
	static const char *const lists[] = {
		"4",
		"0,4",
		"0-4",
		"4-5",
		"4294967295",
		"4294967296",
		"4294967299",
		"18446744073709551616",
		"0-99999999999999999999",
	};
	uint64_t bits[UC_ROUTING_WORDS];

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (uc_vcpus_parse(lists[i], 4, bits) != -ERANGE)
			fail_msg("\"%s\" is not -ERANGE", lists[i]);
	assert_int_equal(uc_vcpus_parse("128", 128, bits), -ERANGE);
}

static void a_set_is_written_as_a_list(void **state)
{
	const uint64_t none[UC_ROUTING_WORDS] = {0},
		       some[UC_ROUTING_WORDS] = {0x8000000000000005, 1};
	char text[64] = "before";

	(void)state;
	uc_vcpus_format(none, 128, text, sizeof(text));
	assert_string_equal(text, "");
	uc_vcpus_format(some, 128, text, sizeof(text));
	assert_string_equal(text, "0,2,63,64");
	uc_vcpus_format(some, 64, text, sizeof(text));
	assert_string_equal(text, "0,2,63");
	uc_vcpus_format(some, 2, text, sizeof(text));
	assert_string_equal(text, "0");
}

static void a_written_set_is_read_as_it_was(void **state)
{
	uint64_t bits[UC_ROUTING_WORDS] = {0x123456789abcdef0, 0x8fedcba987654321};
	char text[4 * UC_VM_MAX_VCPUS];

	(void)state;
	uc_vcpus_format(bits, 128, text, sizeof(text));
	assert_list(text, 128, bits[0], bits[1]);
}

/* A sanitizer or the guard bytes would see a byte too many. */
static void a_set_never_exceeds_its_buffer(void **state)
{
	const uint64_t all[UC_ROUTING_WORDS] = {UINT64_MAX, UINT64_MAX};
	char whole[4 * UC_VM_MAX_VCPUS], guard[16];

	(void)state;
	memset(guard, 0x5a, sizeof(guard));
	uc_vcpus_format(all, 128, whole, sizeof(whole));
	for (uint32_t size = 1; size <= strlen(whole) + 1; size++) {
		char *text = malloc(size + sizeof(guard));

		assert_non_null(text);
		memset(text, 0x5a, size + sizeof(guard));
		uc_vcpus_format(all, 128, text, size);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
		assert_memory_equal(text + size, guard, sizeof(guard));
		free(text);
	}
}

/* ---- policies and the command line ---- */

static void a_policy_is_found_by_its_whole_name(void **state)
{
	static const char *const wrong[] = {"",	       "Follow",      "follow ", "follo",
					    "follow1", "round_robin", "default", "all"};
	enum uc_policy policy;

	(void)state;
	for (int i = 0; i < UC_POLICIES; i++) {
		policy = UC_POLICIES;
		assert_int_equal(uc_policy_parse(uc_policy_name((enum uc_policy)i), &policy), 0);
		assert_int_equal(policy, i);
	}
	policy = UC_POLICY_RANDOM;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(uc_policy_parse(wrong[i], &policy), -EINVAL);
	assert_int_equal(policy, UC_POLICY_RANDOM);
}

static void the_command_line_is_checked(void **state)
{
	static const struct uc_routing_config good[] = {
		{NULL, NULL},	     {"pinned", NULL}, {"follow", "all"}, {"round-robin", "guest"},
		{"random", "0,2-3"}, {NULL, "3"},
	};
	struct uc_diag diag = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(uc_routing_check(&good[i], 4, &diag), 0);
	assert_int_equal(diag.status, 0);
}

static void assert_refused(const char *policy, const char *affinity, const char *text)
{
	struct uc_routing_config config = {.policy = policy, .affinity = affinity};
	struct uc_diag diag = {0};

	assert_int_equal(uc_routing_check(&config, 4, &diag), -EINVAL);
	assert_int_equal(diag.status, UC_EXIT_USAGE);
	if (!strstr(diag.text, text))
		fail_msg("\"%s\" does not say \"%s\"", diag.text, text);
}

static void what_is_wrong_there_is_told(void **state)
{
	(void)state;
	assert_refused("folow", NULL, "--policy folow: give pinned, follow, round-robin or random");
	assert_refused("", "all", "--policy");
	assert_refused(NULL, "ALL", "--affinity ALL: give all, guest, or vCPUs such as 0,2-3");
	assert_refused("follow", "", "--affinity");
	assert_refused("follow", "0,4", "0 to 3");
	assert_refused("follow", "3-2", "--affinity 3-2");
}

/* ---- what holds once the guest is FIFO ---- */

static void assert_begins(void **state, const char *policy, const char *affinity,
			  enum uc_policy expected, uint32_t expected_set)
{
	struct fifo_guest *g = *state;
	struct uc_domain *d = &g->vm->domain;
	uint32_t set = 0;

	g->m->config.routing = (struct uc_routing_config){.policy = policy, .affinity = affinity};
	assert_int_equal(uc_domain_set_affinity(d, NULL), 0);
	uc_routing_begin(g->vm);
	for (uint32_t i = 0; i < VCPUS; i++)
		set |= (uint32_t)uc_port_may_use(d, g->ends[0].port, i) << i;
	assert_int_equal(uc_port_policy(d, g->ends[0].port), expected);
	assert_int_equal(set, expected_set);
}

static void what_was_asked_for_holds(void **state)
{
	assert_begins(state, NULL, NULL, UC_POLICY_FOLLOW, 0xf);
	assert_begins(state, "pinned", NULL, UC_POLICY_PINNED, 0xf);
	assert_begins(state, "random", "all", UC_POLICY_RANDOM, 0xf);
	assert_begins(state, "round-robin", "0,2-3", UC_POLICY_ROUND_ROBIN, 0xd);
	assert_begins(state, NULL, "1", UC_POLICY_FOLLOW, 0x2);
}

static void the_guests_affinity_is_pinned(void **state)
{
	assert_begins(state, "follow", "guest", UC_POLICY_PINNED, 0xf);
	assert_begins(state, NULL, "guest", UC_POLICY_PINNED, 0xf);
}

/* A vCPU gives the block of its own. */
static void init_control(struct machine *m, uint32_t vcpu)
{
	struct evtchn_init_control arg = {.control_gfn = FREE_GFN + vcpu, .vcpu = vcpu};

	memcpy(ram(m, ARG), &arg, sizeof(arg));
	assert_int_equal(
		CALL_ON(m, vcpu, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, ARG), 0);
}

/* What a person has changed since is not undone when the guest brings up its other vCPUs. */
static void it_begins_with_the_boot_vcpus_control_block_and_once(void **state)
{
	struct machine *m = *state;

	assert_int_equal(m->vm.domain.policy, UC_POLICY_PINNED);
	assert_int_equal(uc_routing_set_policy(&m->vm, UC_POLICY_FOLLOW), -EOPNOTSUPP);
	m->config.routing.policy = "random";
	init_control(m, 2);
	assert_int_equal(m->vm.domain.policy, UC_POLICY_PINNED);
	init_control(m, 0);
	assert_int_equal(m->vm.domain.policy, UC_POLICY_RANDOM);
	assert_int_equal(uc_routing_set_policy(&m->vm, UC_POLICY_FOLLOW), 0);
	init_control(m, 1);
	assert_int_equal(m->vm.domain.policy, UC_POLICY_FOLLOW);
}

/* ---- time slices of vCPUs, by policy ---- */

static void assert_slices(struct fifo_guest *g, uint32_t slice_ns)
{
	for (uint32_t i = 0; i < VCPUS; i++)
		assert_int_equal(thread_attr(g->vm->vcpus[i].tid).slice_ns, slice_ns);
}

static void vcpus_have_short_slices_while_events_follow(void **state)
{
	struct fifo_guest *g = *state;
	uint32_t default_ns = thread_attr(0).slice_ns, slice_ns = 7000000;

	if (!default_ns) {
		print_message("skipped: this kernel has no time slices per thread (6.12 has)\n");
		skip();
	}
	assert_int_not_equal(default_ns, slice_ns);
	g->m->config.routing.slice_ms = 7;
	machine_start(g->m, 0);
	assert_slices(g, default_ns); /* pinned */
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_FOLLOW), 0);
	assert_slices(g, slice_ns);
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICIES), -EINVAL);
	assert_slices(g, slice_ns);
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_RANDOM), 0);
	assert_slices(g, default_ns);
	assert_int_equal(thread_attr(0).slice_ns, default_ns);
}

static void a_vcpu_that_starts_later_has_one_too(void **state)
{
	struct fifo_guest *g = *state;

	if (!thread_attr(0).slice_ns) {
		print_message("skipped: this kernel has no time slices per thread (6.12 has)\n");
		skip();
	}
	g->m->config.routing.slice_ms = 7;
	assert_int_equal(uc_routing_set_policy(g->vm, UC_POLICY_FOLLOW), 0);
	machine_start(g->m, 0);
	assert_slices(g, 7000000);
}

/* ---- what a vCPU is doing ---- */

#define UNTOUCHED 0x5a5a5a5aull

static void assert_state(struct fifo_guest *g, uint32_t vcpu, enum uc_run_state expected,
			 uint64_t expected_since)
{
	uint64_t since = UNTOUCHED;

	assert_int_equal(uc_vm_run_state(g->vm, &g->vm->evtchn_vcpus[vcpu], &since), expected);
	assert_int_equal(since, expected_since);
}

static void outside_kvm_run_it_is_blocked(void **state)
{
	struct fifo_guest *g = *state;

	assert_state(g, 1, UC_VCPU_BLOCKED, UNTOUCHED);
	for (int runstate = RUNSTATE_running; runstate <= RUNSTATE_offline; runstate++) {
		area_of(g, 1)->state = runstate;
		assert_state(g, 1, UC_VCPU_BLOCKED, UNTOUCHED);
	}
	g->vm->vcpus[1].runstate = NULL;
	assert_state(g, 1, UC_VCPU_BLOCKED, UNTOUCHED);
}

/* Whatever the guest writes there: only one value is not "running". */
static void inside_it_runs_unless_its_area_says_runnable(void **state)
{
	static const int states[] = {RUNSTATE_running, RUNSTATE_blocked, RUNSTATE_offline, 4, -1,
				     INT32_MIN};
	struct fifo_guest *g = *state;

	set_running(g, 1);
	area_of(g, 1)->state_entry_time = 12345;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		area_of(g, 1)->state = states[i];
		assert_state(g, 1, UC_VCPU_RUNNING, UNTOUCHED);
	}
	area_of(g, 1)->state = RUNSTATE_runnable;
	assert_state(g, 1, UC_VCPU_PREEMPTED, 12345);
	g->vm->vcpus[1].runstate = NULL;
	assert_state(g, 1, UC_VCPU_RUNNING, UNTOUCHED);
}

static void each_vcpu_has_its_own_state(void **state)
{
	struct fifo_guest *g = *state;

	set_running(g, 0);
	set_preempted(g, 2, 7);
	set_preempted(g, 3, 8);
	assert_state(g, 0, UC_VCPU_RUNNING, UNTOUCHED);
	assert_state(g, 1, UC_VCPU_BLOCKED, UNTOUCHED);
	assert_state(g, 2, UC_VCPU_PREEMPTED, 7);
	assert_state(g, 3, UC_VCPU_PREEMPTED, 8);
}

/* KVM sets the bit while it writes; who waits longest would not be found by it. */
static void the_update_bit_is_no_time(void **state)
{
	struct fifo_guest *g = *state;

	set_preempted(g, 1, 987654321 | XEN_RUNSTATE_UPDATE);
	assert_state(g, 1, UC_VCPU_PREEMPTED, 987654321);
	set_preempted(g, 1, UINT64_MAX);
	assert_state(g, 1, UC_VCPU_PREEMPTED, UINT64_MAX >> 1);
}

static void an_area_that_is_not_ram_is_none(void **state)
{
	const uint64_t bad[] = {RAM_BYTES - 8, RAM_BYTES - 1,	RAM_BYTES, UC_MEM_HOLE_START,
				UC_MEM_4G,     UINT64_MAX - 15, UINT64_MAX};
	struct fifo_guest *g = *state;
	const struct uc_vm_vcpu *v = &g->vm->vcpus[1];

	set_preempted(g, 1, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uc_vm_set_runstate(g->vm, 1, RAM_BYTES - 16); /* the last that will do */
		assert_ptr_equal(v->runstate, ram(g->m, RAM_BYTES - 16));
		uc_vm_set_runstate(g->vm, 1, bad[i]);
		assert_null(v->runstate);
	}
	assert_state(g, 1, UC_VCPU_RUNNING, UNTOUCHED);
	assert_non_null(g->vm->vcpus[0].runstate);
	assert_non_null(g->vm->vcpus[2].runstate);
}

/* ---- one that the asker itself displaced ---- */

#define NOW_NS	    1000000000000ull
#define A_MOMENT_NS 100000u
#define LONG_NS	    100000000u

/* KVM's clock stands at NOW_NS: asked anew each time, as it was never noted. */
static void assert_preempted_for(struct fifo_guest *g, uint64_t ns, enum uc_run_state expected)
{
	g->m->clock_ns = NOW_NS;
	g->vm->kvm.clock_noted_ns = 0;
	set_preempted(g, 1, NOW_NS - ns);
	assert_state(g, 1, expected, NOW_NS - ns);
}

/* Returns the CPU that this thread stays on. */
static uint32_t stay_on_a_cpu(cpu_set_t *before)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	assert_int_equal(sched_getaffinity(0, sizeof(*before), before), 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	return (uint32_t)cpu;
}

static void one_that_the_asker_displaced_runs(void **state)
{
	struct fifo_guest *g = *state;
	struct rseq rseq = {0};
	cpu_set_t before;
	uint32_t cpu = stay_on_a_cpu(&before);

	assert_preempted_for(g, A_MOMENT_NS, UC_VCPU_PREEMPTED); /* its CPU is not known */
	g->vm->vcpus[1].rseq = &rseq;
	rseq.cpu_id = cpu;
	assert_preempted_for(g, A_MOMENT_NS, UC_VCPU_RUNNING);
	assert_preempted_for(g, LONG_NS, UC_VCPU_PREEMPTED);
	rseq.cpu_id = cpu + 1;
	assert_preempted_for(g, A_MOMENT_NS, UC_VCPU_PREEMPTED);
	rseq.cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
	assert_preempted_for(g, A_MOMENT_NS, UC_VCPU_PREEMPTED);
	rseq.cpu_id = cpu;
	set_outside(g, 1);
	assert_state(g, 1, UC_VCPU_BLOCKED, UNTOUCHED);
	sched_setaffinity(0, sizeof(before), &before);
}

/* ---- an event that is queued ---- */

static void an_event_goes_where_a_vcpu_runs(void **state)
{
	struct fifo_guest *g = *state;

	uc_routing_set_policy(g->vm, UC_POLICY_FOLLOW);
	set_preempted(g, 0, 1);
	set_preempted(g, 3, 2);
	set_running(g, 2);
	raise_port(g, 0);
	assert_true(waits_at(g, 2));
	take_at(g, 2);
	set_preempted(g, 2, 3);
	raise_port(g, 0);
	assert_true(waits_at(g, 1)); /* outside KVM_RUN */
	take_at(g, 1);
	set_preempted(g, 1, 4);
	raise_port(g, 0);
	assert_true(waits_at(g, 0)); /* waits longest */
	take_at(g, 0);
	assert_int_equal(g->handled, 3);
}

/* The real thing, as vmm/kvm/vcpu.c keeps it. */
static void a_vcpus_thread_tells_where_it_is(void **state)
{
	struct fifo_guest *g = *state;

	machine_start(g->m, 0);
	for (uint32_t i = 0; i < VCPUS; i++) {
		const struct uc_vm_vcpu *v = &g->vm->vcpus[i];
		const struct rseq *rseq = __atomic_load_n(&v->rseq, __ATOMIC_ACQUIRE);

		assert_int_equal(__atomic_load_n(&v->inside, __ATOMIC_RELAXED), 1);
		if (__rseq_size)
			assert_true(__atomic_load_n(&rseq->cpu_id, __ATOMIC_RELAXED) <
				    (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	}
	machine_stop(g->m, UC_VM_POWEROFF);
	for (uint32_t i = 0; i < VCPUS; i++) {
		assert_int_equal(g->vm->vcpus[i].inside, 0);
		assert_true(g->vm->vcpus[i].exits > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_names_vcpus_and_ranges),
		cmocka_unit_test(malformed_lists_are_einval),
		cmocka_unit_test(vcpus_that_are_not_there_are_erange),
		cmocka_unit_test(a_set_is_written_as_a_list),
		cmocka_unit_test(a_written_set_is_read_as_it_was),
		cmocka_unit_test(a_set_never_exceeds_its_buffer),
		cmocka_unit_test(a_policy_is_found_by_its_whole_name),
		cmocka_unit_test(the_command_line_is_checked),
		cmocka_unit_test(what_is_wrong_there_is_told),
		GUEST_TEST(what_was_asked_for_holds),
		GUEST_TEST(the_guests_affinity_is_pinned),
		TEST(it_begins_with_the_boot_vcpus_control_block_and_once),
		GUEST_TEST(vcpus_have_short_slices_while_events_follow),
		GUEST_TEST(a_vcpu_that_starts_later_has_one_too),
		GUEST_TEST(outside_kvm_run_it_is_blocked),
		GUEST_TEST(inside_it_runs_unless_its_area_says_runnable),
		GUEST_TEST(each_vcpu_has_its_own_state),
		GUEST_TEST(the_update_bit_is_no_time),
		GUEST_TEST(an_area_that_is_not_ram_is_none),
		GUEST_TEST(one_that_the_asker_displaced_runs),
		GUEST_TEST(an_event_goes_where_a_vcpu_runs),
		GUEST_TEST(a_vcpus_thread_tells_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
