/* SPDX-License-Identifier: MIT */
/*
 * What hypervisor and guest share, for x86-64 guests: the words of both event channel ABIs.
 *
 * A word that the guest can write has its own type, so that a plain read or write of one does not
 * compile into an access: use the accessors of lib/atomic.h (inside the library) or
 * __atomic_*_n() on `.raw` (elsewhere). Layouts equal Xen's public headers; tests/unit/lib/abi.c
 * asserts it.
 */
#ifndef UPCALL_ABI_H
#define UPCALL_ABI_H

#include <stdint.h>

typedef struct {
	uint8_t raw;
} uc_g8;
typedef struct {
	uint32_t raw;
} uc_g32;
typedef struct {
	uint64_t raw;
} uc_g64;

#define UC_FRAME_SIZE 4096u

/* FIFO event word: xen/event_channel.h, EVTCHN_FIFO_*. */
#define UC_FIFO_PENDING_BIT	 31
#define UC_FIFO_MASKED_BIT	 30
#define UC_FIFO_LINKED_BIT	 29
#define UC_FIFO_BUSY_BIT	 28
#define UC_FIFO_PENDING		 (1u << UC_FIFO_PENDING_BIT)
#define UC_FIFO_MASKED		 (1u << UC_FIFO_MASKED_BIT)
#define UC_FIFO_LINKED		 (1u << UC_FIFO_LINKED_BIT)
#define UC_FIFO_BUSY		 (1u << UC_FIFO_BUSY_BIT)
#define UC_FIFO_LINK_BITS	 17
#define UC_FIFO_LINK_MASK	 ((1u << UC_FIFO_LINK_BITS) - 1)

#define UC_FIFO_PRIORITY_MAX	 0u
#define UC_FIFO_PRIORITY_DEFAULT 7u
#define UC_FIFO_PRIORITY_MIN	 15u
#define UC_FIFO_QUEUES		 (UC_FIFO_PRIORITY_MIN + 1)

#define UC_FIFO_PORTS		 (1u << UC_FIFO_LINK_BITS)
#define UC_FIFO_WORDS_PER_PAGE	 (UC_FRAME_SIZE / 4)
#define UC_FIFO_PAGES		 (UC_FIFO_PORTS / UC_FIFO_WORDS_PER_PAGE)

/* EVTCHNOP_reset goes on: Xen's header has the number, but shows it to Xen only. */
#define UC_EVTCHNOP_RESET_CONT 14u

/* 64 words of 64 bits. */
#define UC_2L_PORTS 4096u
/* 32 words of 32 bits: the ABI of 32-bit guests. */
#define UC_2L_COMPAT_PORTS 1024u

/*
 * An operation of ours beside Xen's EVTCHNOPs, for guests that know it: the vCPUs that a port's
 * events may go to. No bit: those of the domain again. Errors as uc_port_set_affinity(), and -EPERM
 * for a vCPU that the host has not given the domain's events to; -ENOSYS where it is not there.
 */
#define UC_EVTCHNOP_FIRST_OWN	 0x1000u
#define UC_EVTCHNOP_SET_AFFINITY 0x1000u
#define UC_OP_VCPUS		 256u

struct uc_evtchn_set_affinity {
	uint32_t port;
	uint32_t zero; /* -EINVAL for anything else */
	uint64_t vcpus[UC_OP_VCPUS / 64];
};

/*
 * Another one: EVTCHNOP_init_control for the vCPUs 0 to nr_vcpus - 1 in one go, or for none of
 * them. The frames from list_gfn on hold a struct uc_control_place for each, 256 to a frame.
 */
#define UC_EVTCHNOP_INIT_CONTROLS 0x1001u

struct uc_evtchn_init_controls {
	uint64_t list_gfn;
	uint32_t nr_vcpus;
	uint8_t link_bits; /* out */
	uint8_t zero[3];
};

/* Where a vCPU's control block is. */
struct uc_control_place {
	uint64_t gfn;
	uint32_t offset;
	uint32_t zero; /* -EINVAL for anything else */
};

#define UC_VIRQS      24u

#define UC_DOMID_HOST 0u
#define UC_DOMID_SELF 0x7ff0u

struct uc_fifo_control_block {
	uc_g32 ready;
	uint32_t reserved;
	uc_g32 head[UC_FIFO_QUEUES];
};

struct uc_vcpu_info {
	uc_g8 upcall_pending;
	uc_g8 upcall_mask;
	uint8_t pad[2];
	uc_g32 compat_pending_sel; /* of 32-bit guests */
	uc_g64 pending_sel;	   /* of 64-bit guests */
	uint8_t arch[16];
	uint8_t time[32]; /* pvclock: the host's business, not the library's */
};

/* vCPUs beyond these must register a vcpu_info of their own. */
#define UC_LEGACY_VCPUS 32u

/* For a 32-bit guest the mask is behind the first 1024 bits of `pending`. */
struct uc_shared_info {
	struct uc_vcpu_info vcpu_info[UC_LEGACY_VCPUS];
	union {
		struct {
			uc_g64 pending[64];
			uc_g64 mask[64];
		};
		uc_g32 bits[256]; /* the same */
	};
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
	uint32_t wc_sec_hi;
};

#endif
