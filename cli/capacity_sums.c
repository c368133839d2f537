/* SPDX-License-Identifier: MIT */
/* The arithmetic of `upcall capacity`. Sizes are the library's own, by sizeof. */
#include "cli/capacity_sums.h"

#include <errno.h>
#include <upcall/evtchn.h>

#define WORDS_PER_PAGE ((uint64_t)UC_FIFO_WORDS_PER_PAGE)

/* *sum += count * each */
static int add(uint64_t *sum, uint64_t count, uint64_t each)
{
	uint64_t product;

	return __builtin_mul_overflow(count, each, &product) ||
			       __builtin_add_overflow(*sum, product, sum)
		       ? -EOVERFLOW
		       : 0;
}

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return n / by + (n % by != 0);
}

/* P / (1 + E_V / E_P) = P * E_P / (E_P + E_V), in whole numbers. */
int uc_capacity_draft_domains(uint64_t memory_bytes, uint32_t events_per_domain, uint64_t *domains)
{
	uint64_t words = 0;
	int rc = add(&words, memory_bytes / UC_FRAME_SIZE, WORDS_PER_PAGE);

	*domains = words / (WORDS_PER_PAGE + events_per_domain);
	return rc;
}

int uc_capacity_draft_bytes(uint64_t domains, uint32_t events_per_domain, uint64_t *bytes)
{
	uint64_t words = 0;
	int rc = add(&words, domains, WORDS_PER_PAGE + events_per_domain);

	*bytes = 0;
	return rc ? rc : add(bytes, divide_up(words, WORDS_PER_PAGE), UC_FRAME_SIZE);
}

/* `count` domains that have `events` ports in use each. */
static int add_domains(struct uc_capacity_cost *cost, uint64_t count, uint32_t events,
		       uint32_t vcpus)
{
	uint64_t nr_ports = (uint64_t)events + 1;
	uint64_t affinity_words = (nr_ports + 2) * divide_up(vcpus, 64);
	uint64_t each = sizeof(struct uc_domain) + vcpus * sizeof(struct uc_vcpu) +
			nr_ports * sizeof(struct uc_port) + affinity_words * sizeof(uint64_t);

	if (add(&cost->state_bytes, count, each) || add(&cost->ports, count, events) ||
	    add(&cost->array_pages, count, divide_up(nr_ports, WORDS_PER_PAGE)) ||
	    add(&cost->control_pages, count, vcpus))
		return -EOVERFLOW;
	return 0;
}

/* `events` other ends, in as few driver domains as can have them. */
static int add_driver_domains(struct uc_capacity_cost *cost, uint64_t events, uint32_t vcpus)
{
	uint64_t full = events / UC_CAPACITY_EVENTS_MAX;
	uint32_t rest = (uint32_t)(events % UC_CAPACITY_EVENTS_MAX);
	int rc = add_domains(cost, full, UC_CAPACITY_EVENTS_MAX, vcpus);

	cost->driver_domains = full + (rest != 0);
	return rc || !rest ? rc : add_domains(cost, 1, rest, vcpus);
}

static int add_back_ends(struct uc_capacity_cost *cost, const struct uc_capacity_host *host,
			 uint64_t domains)
{
	uint64_t events = 0;

	if (add(&events, domains, host->events_per_domain))
		return -EOVERFLOW;
	if (!host->host_back_ends)
		return add_driver_domains(cost, events, host->vcpus_per_domain);
	return add(&cost->ports, events, 1)
		       ? -EOVERFLOW
		       : add(&cost->state_bytes, events, sizeof(struct uc_endpoint));
}

int uc_capacity_cost(const struct uc_capacity_host *host, uint64_t domains,
		     struct uc_capacity_cost *cost)
{
	int rc;

	*cost = (struct uc_capacity_cost){0};
	rc = add_domains(cost, domains, host->events_per_domain, host->vcpus_per_domain);
	if (!rc)
		rc = add_back_ends(cost, host, domains);
	cost->total_bytes = cost->state_bytes;
	if (!rc)
		rc = add(&cost->total_bytes, cost->array_pages, UC_FRAME_SIZE);
	return rc ? rc : add(&cost->total_bytes, cost->control_pages, UC_FRAME_SIZE);
}

static bool ids_suffice(const struct uc_capacity_cost *cost, uint64_t domains)
{
	return domains <= UC_CAPACITY_IDS && cost->driver_domains <= UC_CAPACITY_IDS - domains;
}

bool uc_capacity_fits(const struct uc_capacity_host *host, uint64_t domains)
{
	struct uc_capacity_cost cost;

	return !uc_capacity_cost(host, domains, &cost) && ids_suffice(&cost, domains) &&
	       cost.total_bytes <= host->memory_bytes;
}

/* A cost only grows with the number of domains, so halving finds the last that fits. */
uint64_t uc_capacity_domains(const struct uc_capacity_host *host, bool *by_ids)
{
	uint64_t fits = 0, too_many = UC_CAPACITY_IDS + 1ull;
	struct uc_capacity_cost cost;

	while (too_many - fits > 1) {
		uint64_t middle = fits + (too_many - fits) / 2;

		if (uc_capacity_fits(host, middle))
			fits = middle;
		else
			too_many = middle;
	}
	*by_ids = !uc_capacity_cost(host, fits + 1, &cost) &&
		  cost.total_bytes <= host->memory_bytes;
	return fits;
}
