/* SPDX-License-Identifier: MIT */
/*
 * The policies: which vCPU of a port's set gets an event. Called on every raise that has to link,
 * without locks or with the port's; answers are hints until the caller has looked at the set again
 * under the queue's lock.
 */
#include "lib/evtchn/private.h"

/* How often loads are halved: when one vCPU has had this many events since. */
#define LOAD_PERIOD 256
/* A vCPU is clearly busier than the others above twice the mean and this. */
#define LOAD_SLACK 32

static enum uc_run_state run_state(const struct uc_domain *d, const struct uc_vcpu *v,
				   uint64_t *since)
{
	return d->host->ops->run_state ? d->host->ops->run_state(d->host->ctx, v, since)
				       : UC_VCPU_RUNNING;
}

bool uc_vcpu_is_live(const struct uc_vcpu *v)
{
	return uc_load_acquire(&v->control) && uc_load(&v->per_vcpu_ports);
}

static bool is_candidate(const struct uc_domain *d, uint32_t port, uint32_t vcpu)
{
	return uc_vcpu_is_live(&d->vcpus[vcpu]) && uc_port_may_use(d, port, vcpu);
}

/* ---- load: events linked lately, halved every now and then; lossy on purpose, it is a hint ----
 */

static void decay(struct uc_domain *d)
{
	uint32_t live = 0;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct uc_vcpu *v = &d->vcpus[i];
		uint32_t load = uc_load(&v->load) / 2;

		uc_store(&v->load, load);
		if (uc_vcpu_is_live(v)) {
			sum += load;
			live++;
		}
	}
	uc_store(&d->load_mean, live ? (uint32_t)(sum / live) : 0);
}

void uc_load_add(struct uc_domain *d, struct uc_vcpu *v, uint32_t events)
{
	uint32_t load = uc_load(&v->load) + events;

	uc_store(&v->load, load);
	if (load >= LOAD_PERIOD)
		decay(d);
}

static bool is_overloaded(const struct uc_domain *d, uint32_t vcpu)
{
	return uc_load(&d->vcpus[vcpu].load) > 2 * uc_load(&d->load_mean) + LOAD_SLACK;
}

/* ---- pinned ---- */

static uint32_t first_candidate(struct uc_domain *d, uint32_t port, uint32_t from,
				uint32_t otherwise)
{
	for (uint32_t n = 0; n < d->nr_vcpus; n++) {
		uint32_t vcpu = (from + n) % d->nr_vcpus;

		if (is_candidate(d, port, vcpu))
			return vcpu;
	}
	return otherwise;
}

/*
 * Outside the set the guest's wish counts only when nobody in the set is live. That vCPU is also
 * the only one that may be chosen without a control block: relink_pending() looks for it there.
 */
static uint32_t choose_pinned(struct uc_domain *d, uint32_t port, struct uc_route route)
{
	return uc_port_may_use(d, port, route.vcpu)
		       ? route.vcpu
		       : first_candidate(d, port, route.vcpu, route.vcpu);
}

/* ---- follow ---- */

struct rank {
	enum uc_run_state state;
	uint64_t order; /* within a state, smaller is better */
};

/*
 * By load, but a port leaves `last` only for one whose load is clearly less: else, with all equally
 * busy, it would hop at every raise.
 */
static uint64_t load_order(const struct uc_vcpu *v, uint32_t last)
{
	uint64_t load = uc_load(&v->load);

	if (v->id != last)
		return 2 * load + 1;
	return load > LOAD_SLACK ? 2 * (load - LOAD_SLACK) : 0;
}

static struct rank rank_of(const struct uc_domain *d, uint32_t vcpu, uint32_t last)
{
	const struct uc_vcpu *v = &d->vcpus[vcpu];
	uint64_t since = 0;
	enum uc_run_state state = run_state(d, v, &since);

	return (struct rank){.state = state,
			     .order = state == UC_VCPU_PREEMPTED ? since : load_order(v, last)};
}

static bool is_better(struct rank a, struct rank b)
{
	return a.state != b.state ? a.state < b.state : a.order < b.order;
}

/*
 * Who got this port last keeps it while it runs and is not clearly busier than the others: its
 * cache is warm, and one lock is enough. The scan is bounded by the number of vCPUs, which the host
 * chose.
 */
static uint32_t choose_follow(struct uc_domain *d, uint32_t port, struct uc_route route)
{
	uint32_t best = route.vcpu, last = route.last_vcpu;
	bool last_may = is_candidate(d, port, last), found = false;
	struct rank best_rank = {0};

	if (last_may && rank_of(d, last, last).state == UC_VCPU_RUNNING && !is_overloaded(d, last))
		return last;
	for (uint32_t vcpu = 0; vcpu < d->nr_vcpus; vcpu++) {
		struct rank rank;

		if (!is_candidate(d, port, vcpu))
			continue;
		rank = rank_of(d, vcpu, last);
		if (!found || is_better(rank, best_rank)) {
			best = vcpu;
			best_rank = rank;
			found = true;
		}
	}
	return found ? best : choose_pinned(d, port, route);
}

/* ---- the control groups ---- */

static uint32_t choose_round_robin(struct uc_domain *d, uint32_t port, struct uc_route route)
{
	(void)route;
	return first_candidate(d, port, (route.last_vcpu + 1u) % d->nr_vcpus, route.vcpu);
}

static uint32_t choose_random(struct uc_domain *d, uint32_t port, struct uc_route route)
{
	uint32_t x = uc_load(&d->turn) + 0x9e3779b9u;

	uc_store(&d->turn, x);
	x ^= x >> 16;
	x *= 0x85ebca6bu;
	x ^= x >> 13;
	x *= 0xc2b2ae35u;
	x ^= x >> 16;
	return first_candidate(d, port, x % d->nr_vcpus, route.vcpu);
}

static const struct policy {
	const char *name;
	uint32_t (*choose)(struct uc_domain *d, uint32_t port, struct uc_route route);
} policies[UC_POLICIES] = {
	[UC_POLICY_PINNED] = {"pinned", choose_pinned},
	[UC_POLICY_FOLLOW] = {"follow", choose_follow},
	[UC_POLICY_ROUND_ROBIN] = {"round-robin", choose_round_robin},
	[UC_POLICY_RANDOM] = {"random", choose_random},
};

const char *uc_policy_name(enum uc_policy policy)
{
	return policy < UC_POLICIES ? policies[policy].name : 0;
}

uint32_t uc_route_choose(struct uc_domain *d, uint32_t port, struct uc_route route)
{
	if (route.policy == UC_ROUTE_PER_VCPU)
		return route.vcpu;
	return policies[uc_policy_of(d, route)].choose(d, port, route);
}

bool uc_route_may_stay(struct uc_domain *d, uint32_t port, struct uc_route route)
{
	if (route.policy == UC_ROUTE_PER_VCPU)
		return true;
	if (!uc_port_may_use(d, port, route.last_vcpu))
		return false;
	return uc_vcpu_is_live(&d->vcpus[route.last_vcpu]) ||
	       (route.last_vcpu == route.vcpu && uc_policy_of(d, route) == UC_POLICY_PINNED);
}

enum uc_policy uc_port_policy(const struct uc_domain *d, uint32_t port)
{
	const struct uc_port *p = uc_port_get(d, port);

	return p ? uc_policy_of(d, uc_route_load(p)) : UC_POLICY_PINNED;
}
