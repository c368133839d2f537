/* SPDX-License-Identifier: MIT */
/*
 * `upcall run --trace FILE`: what happened to each event, recorded where it happens. A recording
 * thread appends fixed records to a ring of its own in the mapped FILE, so what was recorded is
 * there also when this process is killed; a full ring overwrites its oldest. Off, a hook costs one
 * load and one branch.
 *
 * Hooks are in vmm/dev/net_*.c, vmm/xen/, vmm/kvm/vcpu.c and the watcher; vmm/trace_read.h reads.
 */
#ifndef UPCALL_VMM_TRACE_H
#define UPCALL_VMM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upcall/evtchn.h>

#include "vmm/diag.h"

/* What happened. `vcpu`, `port`, `tag` and `arg` are 0 where nothing is said of them. */
enum uc_trace_kind {
	UC_TRACE_NONE = 0,
	UC_TRACE_START,	    /* a machine starts; arg: restarts before */
	UC_TRACE_TAP_READ,  /* packet: read from the tap */
	UC_TRACE_RX_FILLED, /* packet: in the guest's ring */
	UC_TRACE_RAISE,	    /* port is about to be raised; tag; arg: states */
	UC_TRACE_RAISED,    /* it was; vcpu: where its event went last; tag */
	UC_TRACE_KICK,	    /* vcpu gets an upcall; arg: its state */
	UC_TRACE_ENTER,	    /* vcpu enters KVM_RUN */
	UC_TRACE_EXIT,	    /* vcpu has left it; arg: exit reason */
	UC_TRACE_SEND,	    /* vcpu: EVTCHNOP_send; port */
	UC_TRACE_UNMASK,    /* vcpu: EVTCHNOP_unmask; port */
	UC_TRACE_TX_TAKEN,  /* packet: taken from the guest's ring */
	UC_TRACE_TAP_WRITE, /* packet: written to the tap */
	UC_TRACE_LOOK,	    /* the watcher looks; arg: states */
	UC_TRACE_TAKEN,	    /* the watcher found that vcpu has taken what was there */
	UC_TRACE_WAITING,   /* the watcher found that vcpu has not; arg: a bit per priority */
	UC_TRACE_HANDOVER,  /* the watcher took from vcpu; arg: events moved */
	UC_TRACE_ASLEEP,    /* the watcher sleeps until a kick, */
	UC_TRACE_AWAKE,	    /* and runs again */
	UC_TRACE_POLICY,    /* port (0: the domain's); arg: enum uc_policy */
	UC_TRACE_BOOST,	    /* vcpu owes; arg: CPU time in ns that it has had since its event */
	UC_TRACE_BOOST_END, /* vcpu; arg: ns that it took */
	UC_TRACE_KINDS,
};
/* Of a packet: port is the queue's rx port, arg is uc_trace_packet_arg(). */

const char *uc_trace_kind_name(enum uc_trace_kind kind);

/*
 * States: two bits per vCPU, 0 to 31; enum uc_run_state, or this for a vCPU that the guest has not
 * online.
 */
#define UC_TRACE_OFFLINE 3u
#define UC_TRACE_STATES	 32u

static inline uint32_t uc_trace_state_of(uint64_t states, uint32_t vcpu)
{
	return (uint32_t)(states >> 2 * vcpu) & 3;
}

/* ---- the file: header, a struct uc_trace_lane per lane, then each lane's records ---- */

#define UC_TRACE_MAGIC	      "UCTRACE"
#define UC_TRACE_VERSION      1u
#define UC_TRACE_BYTE_ORDER   0x01020304u
#define UC_TRACE_HEADER_BYTES 4096u
#define UC_TRACE_LANES_MAX    1024u
#define UC_TRACE_NAME_BYTES   16u

struct uc_trace_header {
	char magic[8];
	uint32_t byte_order, version;
	uint32_t record_bytes, nr_lanes;
	uint32_t lane_records; /* a power of two */
	uint32_t nr_vcpus;
	uint64_t started_ns;	  /* CLOCK_MONOTONIC, as all times in records */
	uint64_t started_real_ns; /* CLOCK_REALTIME at that moment */
	uint32_t nr_kinds, unused;
	char machine[64];
	char kinds[UC_TRACE_KINDS][UC_TRACE_NAME_BYTES];
};

struct uc_trace_lane {
	uint64_t written; /* records ever; the last lane_records of them are there */
	char thread[UC_TRACE_NAME_BYTES];
	uint8_t unused[40];
};

/*
 * `seq` is its number in its lane plus 1, cut to 32 bits: written last, and 0 while the rest is
 * written, so a reader recognises a record that was not finished.
 */
struct uc_trace_record {
	uint64_t time_ns;
	uint32_t port;
	uint32_t tag; /* a packet's identity (uc_trace_tag()), or 0 */
	uint64_t arg;
	uint32_t seq;
	uint16_t vcpu;
	uint8_t kind;
	uint8_t unused;
};

_Static_assert(sizeof(struct uc_trace_header) <= UC_TRACE_HEADER_BYTES, "header");
_Static_assert(sizeof(struct uc_trace_lane) == 64, "lane");
_Static_assert(sizeof(struct uc_trace_record) == 32, "record");

/* Where the records of lane `lane` are, and the size of the whole with lane = nr_lanes. */
static inline size_t uc_trace_offset(const struct uc_trace_header *h, size_t lane)
{
	return UC_TRACE_HEADER_BYTES + h->nr_lanes * sizeof(struct uc_trace_lane) +
	       lane * h->lane_records * sizeof(struct uc_trace_record);
}

/* ---- recording ---- */

#define UC_TRACE_BYTES (64ull << 20)

struct uc_trace_config {
	const char *path;    /* replaced when it is a file */
	const char *machine; /* its name */
	uint32_t nr_vcpus;
	uint32_t nr_lanes;   /* threads beyond that share lanes */
	uint64_t file_bytes; /* about; no more */
};

/* One at a time in a process, before the threads that record. */
int uc_trace_open(const struct uc_trace_config *config, struct uc_diag *diag);
/* No thread records any more. A file without a record is removed. */
void uc_trace_close(void);

struct uc_trace;
extern struct uc_trace *uc_trace_now; /* NULL: off */

static inline bool uc_trace_is_on(void)
{
	return __builtin_expect(__atomic_load_n(&uc_trace_now, __ATOMIC_ACQUIRE) != NULL, 0);
}

/* Any thread, any lock held; never blocks. Recording is on. */
void uc_trace_put(enum uc_trace_kind kind, uint32_t vcpu, uint32_t port, uint32_t tag,
		  uint64_t arg);
/* All states now: asks the host's run_state for each vCPU. */
uint64_t uc_trace_states(struct uc_domain *d);
void uc_trace_put_raise(const struct uc_endpoint *e, uint32_t tag);
void uc_trace_put_raised(const struct uc_endpoint *e, uint32_t tag);
void uc_trace_put_kick(const struct uc_vcpu *v);
void uc_trace_put_op(uint32_t vcpu, uint32_t cmd, const void *arg);

static inline void uc_trace(enum uc_trace_kind kind, uint32_t vcpu, uint32_t port, uint64_t arg)
{
	if (uc_trace_is_on())
		uc_trace_put(kind, vcpu, port, 0, arg);
}

static inline void uc_trace_look(struct uc_domain *d)
{
	if (uc_trace_is_on())
		uc_trace_put(UC_TRACE_LOOK, 0, 0, 0, uc_trace_states(d));
}

static inline void uc_trace_kick(const struct uc_vcpu *v)
{
	if (uc_trace_is_on())
		uc_trace_put_kick(v);
}

/* An EVTCHNOP of the guest, its argument copied. */
static inline void uc_trace_op(uint32_t vcpu, uint32_t cmd, const void *arg)
{
	if (uc_trace_is_on())
		uc_trace_put_op(vcpu, cmd, arg);
}

#endif
