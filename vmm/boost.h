/* SPDX-License-Identifier: MIT */
/*
 * Who gets an event shall have a CPU for long enough to handle it. A host's scheduler knows nothing
 * of that: the vCPU may be waiting for a CPU, as all of the guest's may, or lose it in the middle
 * of the handler. So a vCPU that got an event is owed some CPU time from then on. While it is, and
 * waits for a CPU, the watcher makes its thread real-time, and takes that back when the debt is
 * paid.
 *
 * It is time taken from others on the host, so there is a budget: one part in UC_BOOST_SHARE of a
 * CPU's time for each vCPU. A guest that makes up events, or lies about its run states, gets no
 * more than that.
 *
 * Only the watcher's thread calls what is here, except where it says so.
 */
#ifndef UPCALL_VMM_BOOST_H
#define UPCALL_VMM_BOOST_H

#include <stdbool.h>
#include <stdint.h>

#define UC_BOOST_SHARE	    20	  /* one part in so many */
#define UC_BOOST_DEFAULT_US 100	  /* an upcall and its handlers on a CPU of today */
#define UC_BOOST_MAX_US	    50000 /* real-time hosts throttle after 950 ms */
#define UC_BOOST_VCPUS	    128	  /* UC_VM_MAX_VCPUS */

struct uc_vm;

/* When an event gives its vCPU the right to run. */
enum uc_boost_when {
	UC_BOOST_FOLLOW, /* while the domain's policy is `follow` */
	UC_BOOST_NEVER,
	UC_BOOST_ALWAYS, /* also when events stay where they are: for comparisons */
	UC_BOOST_WHENS,
};

struct uc_debt {
	bool owed, boosted;	  /* any thread reads */
	bool answered;		  /* any thread: it has sent something to a device */
	bool prolonged;		  /* and has been given time for the rest */
	bool begun;		  /* it was at work on an earlier event when this debt began */
	uint64_t owed_ns, ran_ns; /* when it began, and the thread's CPU time then */
	uint64_t seen_ns;	  /* and at the last look */
	uint64_t boosted_ns;	  /* since when */
};

struct uc_boost {
	uint32_t when; /* enum uc_boost_when; any thread */
	bool may;      /* the watcher got its own real-time priority */
	uint64_t length_ns;
	uint32_t boosted; /* vCPUs, now */
	int64_t budget_ns;
	uint64_t refilled_ns;
	uint64_t count, total_ns; /* boosts, and their time */
	struct uc_debt debts[UC_BOOST_VCPUS];
};

const char *uc_boost_when_name(enum uc_boost_when when);
int uc_boost_when_parse(const char *name, enum uc_boost_when *when);

/* Do events of this machine give that right now? Any thread. */
bool uc_boost_is_on(const struct uc_vm *vm);

/* In the watcher's thread, which gets the priority that it needs. */
void uc_boost_begin(struct uc_vm *vm);
void uc_boost_end(struct uc_vm *vm);
/* vCPU `id` has got something. */
void uc_boost_owe(struct uc_vm *vm, uint32_t id);
/*
 * vCPU `id` has sent something to a device, most likely its answer: it is owed as much again, once.
 * Whoever answered shall be back asleep before the vCPU loses its CPU, or the next event finds it
 * in the middle of something there, and waits for that vCPU whoever runs. Any thread.
 */
void uc_boost_answered(struct uc_vm *vm, uint32_t id);
bool uc_boost_is_owed(const struct uc_vm *vm, uint32_t id); /* any thread */
/* What it got went to another. Nothing is owed unless it has begun to handle something. */
void uc_boost_forgive(struct uc_vm *vm, uint32_t id);
/* It would get a CPU at once. */
bool uc_boost_may(struct uc_vm *vm, uint32_t id);
/* Pay what is owed to vCPU `id`; true while it is. `untaken`: it has not looked at its queues. */
bool uc_boost_look(struct uc_vm *vm, uint32_t id, bool untaken);

#endif
