/* SPDX-License-Identifier: MIT */
/*
 * A tap device of the host: what a guest's network card is plugged into. Opened once, before the
 * guest, so that an error is told before anything runs, and kept over the guest's reboots, so that
 * a device made here keeps its address. One descriptor per queue; a packet on it is a struct
 * virtio_net_hdr and the Ethernet frame.
 */
#ifndef UPCALL_VMM_DEV_NET_TAP_H
#define UPCALL_VMM_DEV_NET_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/diag.h"

#define UC_NET_QUEUES_MAX 8u /* what xen-netfront uses at most by default */

struct uc_tap {
	char name[16];
	uint32_t nr_queues;
	int fds[UC_NET_QUEUES_MAX];
};

/*
 * Open `name`, or make it where it does not exist. A device that was made for one queue gives one,
 * whatever was asked for.
 */
int uc_tap_open(struct uc_tap *tap, const char *name, uint32_t nr_queues, struct uc_diag *diag);
void uc_tap_close(struct uc_tap *tap);

/*
 * For a front end that uses the first `nr_queues` (0: none now) and takes these things: packets
 * come on these queues only. -errno.
 */
int uc_tap_configure(struct uc_tap *tap, uint32_t nr_queues, bool csum, bool tso4, bool tso6);

#endif
