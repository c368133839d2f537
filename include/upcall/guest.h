/* SPDX-License-Identifier: MIT */
/*
 * Event channels, the guest's half: a consumer of both ABIs for unikernels, tests and benchmarks.
 *
 * One uc_guest per domain, one uc_guest_vcpu per vCPU; both are the caller's, zero-filled. A queue
 * has one consumer: uc_guest_upcall() runs on its own vCPU only. Hypercalls go through
 * uc_guest_ops. Algorithms: xen/event_channel.h and the FIFO design document (draft H).
 */
#ifndef UPCALL_GUEST_H
#define UPCALL_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <upcall/abi.h>

struct uc_guest;

struct uc_guest_ops {
	/* EVTCHNOP_unmask. Called without locks, on the vCPU that unmasks. */
	void (*unmask)(void *ctx, uint32_t port);
	/*
	 * An event on `port`. Runs on the consuming vCPU; PENDING is still set and the handler
	 * clears it (uc_guest_clear) before it does its work.
	 */
	void (*handle)(void *ctx, uint32_t vcpu, uint32_t port);
};

struct uc_guest {
	const struct uc_guest_ops *ops;
	void *ctx;
	bool fifo;
	struct uc_shared_info *shared_info; /* 2-level */
	uc_g32 *event_page[UC_FIFO_PAGES];  /* FIFO */
	uint32_t nr_words;
};

struct uc_guest_vcpu {
	struct uc_guest *guest;
	uint32_t id;
	struct uc_vcpu_info *info;
	struct uc_fifo_control_block *control; /* FIFO */
	uint32_t head[UC_FIFO_QUEUES]; /* FIFO: next port to consume; 0 = ask the control block */
	uint64_t bound[UC_2L_PORTS / 64]; /* 2-level: ports this vCPU handles */
};

/* Consume until nothing is left. Returns the number of handler calls. */
uint32_t uc_guest_upcall(struct uc_guest_vcpu *v);

void uc_guest_clear(struct uc_guest *g, uint32_t port);
void uc_guest_mask(struct uc_guest *g, uint32_t port);
/* Clears MASKED itself when nothing is pending, else asks the hypervisor to. */
void uc_guest_unmask(struct uc_guest *g, uint32_t port);
bool uc_guest_pending(struct uc_guest *g, uint32_t port);
bool uc_guest_masked(struct uc_guest *g, uint32_t port);

#endif
