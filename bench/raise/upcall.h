/* SPDX-License-Identifier: MIT */
/* A domain of libupcall, its guest, and what raises its events: the worlds of upcall_*.c. */
#ifndef BENCH_RAISE_UPCALL_H
#define BENCH_RAISE_UPCALL_H

#include <upcall/evtchn.h>

#include "guest.h"

struct sender {
	struct uc_endpoint endpoint;
	uint32_t port; /* of the domain that sends */
};

struct upcall_world {
	struct guest guest; /* first */
	struct uc_host host;
	struct uc_domain *domains[3];
	struct uc_domain d, peer;
	struct uc_vcpu *vcpus, *peer_vcpu;
	struct uc_port *ports, *peer_ports;
	void *peer_frame;
	uint64_t *affinity;
	uint32_t *running;
	struct sender *senders; /* by index */
	uint32_t nr_ports;	/* of d: capacity */
	const struct shape *shape;
};

struct upcall_options {
	bool fifo, follow;
	enum uc_port_kind kind; /* HOST: an end point; INTERDOMAIN; IPI */
};

void *upcall_create(const struct shape *shape, const struct upcall_options *o);
void upcall_destroy(void *world);

#endif
