/* SPDX-License-Identifier: MIT */
/*
 * Compiled only (cc -m32 -fsyntax-only): what a 32-bit guest shares lies where twolevel.c and
 * limits.c have it, by Xen's own headers.
 */
#include <stddef.h>
#include <stdint.h>

#include <upcall/abi.h>
#include <xen/xen.h>

#include <xen/event_channel.h>

_Static_assert(sizeof(void *) == 4, "a 32-bit guest's view");
_Static_assert(sizeof(struct vcpu_info) == sizeof(struct uc_vcpu_info), "vcpu_info");
_Static_assert(offsetof(struct vcpu_info, evtchn_pending_sel) ==
		       offsetof(struct uc_vcpu_info, compat_pending_sel),
	       "selector");
_Static_assert(sizeof(xen_ulong_t) == sizeof(uc_g32), "a word");
_Static_assert(offsetof(struct shared_info, evtchn_pending) ==
		       offsetof(struct uc_shared_info, bits),
	       "pending");
_Static_assert(offsetof(struct shared_info, evtchn_mask) -
			       offsetof(struct shared_info, evtchn_pending) ==
		       UC_2L_COMPAT_PORTS / 8,
	       "mask");
_Static_assert(EVTCHN_2L_NR_CHANNELS == UC_2L_COMPAT_PORTS, "ports");
_Static_assert(sizeof(struct evtchn_fifo_control_block) == sizeof(struct uc_fifo_control_block),
	       "FIFO is the same");
