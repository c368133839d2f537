/* SPDX-License-Identifier: MIT */
/*
 * How much memory the event channels of many domains take: by the design draft's estimate (draft A
 * of the FIFO design), and by this library's own structures. Arithmetic only; every sum is checked
 * for overflow. Errors: -EOVERFLOW.
 */
#ifndef UPCALL_CLI_CAPACITY_SUMS_H
#define UPCALL_CLI_CAPACITY_SUMS_H

#include <stdbool.h>
#include <stdint.h>

/* Domain ids are 1 to this: 0 is the host, 0x7ff0 the first that Xen reserves. */
#define UC_CAPACITY_IDS 0x7fefu
/* Port 0 is never used. */
#define UC_CAPACITY_EVENTS_MAX 131071u

struct uc_capacity_host {
	uint64_t memory_bytes; /* for event channels */
	uint32_t vcpus_per_domain;
	uint32_t events_per_domain;
	/* The other ends are end points of the host, not ports of driver domains. */
	bool host_back_ends;
};

/*
 * What `domains` guests cost, with the other end of each of their events. Driver domains have their
 * ports packed, and as many vCPUs as a guest; each has up to UC_CAPACITY_EVENTS_MAX ports.
 */
struct uc_capacity_cost {
	uint64_t driver_domains;
	uint64_t ports;		/* of guests and driver domains, or end points */
	uint64_t state_bytes;	/* the host's own: struct uc_domain, uc_vcpu, uc_port, affinity */
	uint64_t array_pages;	/* event array pages, of guests and driver domains */
	uint64_t control_pages; /* a page for each vCPU's control block, as Linux has it */
	uint64_t total_bytes;
};

/* V = P / (1 + E_V / E_P), rounded down: guests that the draft expects in that memory. */
int uc_capacity_draft_domains(uint64_t memory_bytes, uint32_t events_per_domain, uint64_t *domains);
/* The same formula for P, rounded up to whole pages: what the draft expects `domains` to take. */
int uc_capacity_draft_bytes(uint64_t domains, uint32_t events_per_domain, uint64_t *bytes);

int uc_capacity_cost(const struct uc_capacity_host *host, uint64_t domains,
		     struct uc_capacity_cost *cost);
/* May there be that many: enough memory, enough ids? */
bool uc_capacity_fits(const struct uc_capacity_host *host, uint64_t domains);
/* The most guests that fit. *by_ids: it is the ids that end, not the memory. */
uint64_t uc_capacity_domains(const struct uc_capacity_host *host, bool *by_ids);

#endif
