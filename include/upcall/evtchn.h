/* SPDX-License-Identifier: MIT */
/*
 * Event channels, the hypervisor's half: domains, vCPUs, ports; the 2-level and the FIFO ABI.
 *
 * Memory: every structure here is the caller's; the library allocates nothing. Structures must be
 * zero-filled before their init function, and must not move.
 *
 * Threads: every function may be called from any thread at any time between init and destroy of
 * the objects it names. Raising (uc_send, uc_virq_raise, uc_endpoint_raise) takes at most the locks
 * of one port and two queues, and no lock at all when the event is already on its way or masked.
 * Everything that changes a channel takes its domain's lock.
 *
 * Errors are negative errno values as Xen gives them (xen/errno.h; equal to Linux's on x86).
 */
#ifndef UPCALL_EVTCHN_H
#define UPCALL_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

#include <upcall/abi.h>
#include <upcall/host.h>

struct uc_endpoint;

enum uc_port_kind {
	UC_PORT_FREE = 0,
	UC_PORT_RESERVED,    /* port 0 */
	UC_PORT_UNBOUND,     /* waits for a peer */
	UC_PORT_INTERDOMAIN, /* joined to a port of a domain */
	UC_PORT_HOST,	     /* joined to a host end point; to the guest: interdomain, domid 0 */
	UC_PORT_VIRQ,
	UC_PORT_IPI,
	UC_PORT_PIRQ,
};

/* One 64-bit word, read by senders without a lock: what a send on this port reaches. */
struct uc_peer {
	uint8_t kind; /* enum uc_port_kind */
	uint8_t unused;
	uint16_t domid; /* UNBOUND: who may bind; INTERDOMAIN: the other end's domain */
	uint32_t index; /* INTERDOMAIN: the other end's port; VIRQ, PIRQ: its number */
};

/* One 64-bit word: where this port's events go, and where the last one went. */
struct uc_route {
	uint16_t vcpu;
	uint8_t priority;
	uint8_t usable : 1;  /* neither free nor reserved */
	uint8_t has_set : 1; /* an affinity set of its own */
	uint16_t last_vcpu;
	uint8_t last_priority;
	uint8_t policy; /* UC_ROUTE_PER_VCPU; 0: the domain's; else 1 + enum uc_policy */
};

#define UC_ROUTE_PER_VCPU 0xff

/* A port's private state: one cache line, never visible to the guest. */
struct uc_port {
	union {
		struct uc_route route;
		uint64_t route_word;
	};
	union {
		struct uc_peer peer;
		uint64_t peer_word;
	};
	struct uc_endpoint *endpoint; /* HOST: the other end */
	/* Times PENDING went from 0 to 1 since the port was bound is the sum of both. */
	uint64_t events;      /* atomic */
	uint64_t linked;      /* set together with LINKED, and counted under the queue's lock */
	uint32_t in_endpoint; /* threads inside endpoint->notify() */
	uint32_t lock;
	uint32_t next;	/* the port that we linked behind this one; 0 = none */
	uint8_t parked; /* raised while the guest had no memory for its event word yet */
	uint8_t kept;	/* the host's own: the guest's reset leaves it open */
} __attribute__((aligned(64)));

struct uc_queue {
	uint32_t lock;
	uint32_t tail;	 /* last port linked here; may have been consumed since; 0 = none */
	uint32_t head;	 /* what HEAD was last set to: with `next`, our own record of the list */
	uint32_t length; /* ports linked since HEAD was set */
	bool movable;	 /* one of them, at least, belongs to the OS, not to the vCPU */
	uint64_t linked; /* ever */
	uint64_t handed_over; /* of them, taken back and linked elsewhere */
} __attribute__((aligned(64)));

struct uc_vcpu {
	struct uc_domain *domain;
	uint32_t id;
	uint32_t poll_port; /* sleeping in SCHEDOP_poll: 0 no, a port, or UINT32_MAX for several */
	struct uc_vcpu_info *info; /* guest memory, or `no_info` */
	struct uc_fifo_control_block *control;
	struct uc_fifo_control_block *staged; /* by a batch registration that may yet fail */
	uint64_t upcalls;
	uint64_t handed_over;	 /* taken from here and linked elsewhere */
	uint32_t load;		 /* events linked here lately, see route/policy.c */
	uint32_t per_vcpu_ports; /* IPIs and per-vCPU VIRQs that the guest holds here */
	uint32_t virq_port[UC_VIRQS];
	bool info_registered;
	struct uc_vcpu_info no_info; /* stands in until the guest has given one */
	struct uc_queue queue[UC_FIFO_QUEUES];
};

enum uc_pirq_trigger {
	UC_PIRQ_NONE = 0, /* the guest may not bind it */
	UC_PIRQ_EDGE,	  /* also MSIs */
	UC_PIRQ_LEVEL,
};

/* A physical interrupt of a domain. `trigger` is the host's, set before uc_domain_init(). */
struct uc_pirq {
	uint32_t lock;
	uint32_t port;	 /* 0: not bound */
	uint8_t trigger; /* enum uc_pirq_trigger */
	bool asserted;
	bool in_service; /* delivered since the line was asserted, and no EOI yet */
};

struct uc_abi;

struct uc_domain {
	struct uc_host *host;
	const struct uc_abi *abi;
	uint32_t epoch; /* counts the ways back to the 2-level ABI; odd on the way */
	bool compat;	/* a 32-bit guest */
	struct uc_port *ports;
	uint32_t nr_ports;    /* capacity of `ports` */
	uint32_t valid_ports; /* ports below have been allocated at least once; only grows */
	uint32_t first_free;  /* no free port lies below */
	uint32_t quota;	      /* no port from here on is given to the guest */
	uint32_t open_ports, kept_ports;
	uint32_t reset_next; /* a reset is under way: the next port to close, or UINT32_MAX */
	uint32_t nr_vcpus;
	struct uc_vcpu *vcpus;
	uint32_t lock;
	uint32_t pollers; /* vCPUs in SCHEDOP_poll */
	uint16_t id;
	struct uc_shared_info *shared_info;
	uint64_t *affinity; /* a row of affinity_words per port; a row of 0 is the domain's set */
	uint64_t *default_affinity;
	uint32_t affinity_words;
	union {
		struct {
			uint16_t policy;	  /* enum uc_policy */
			uint16_t has_default_set; /* else all vCPUs */
		};
		uint32_t routing; /* 0: pinned, and nothing else to look at */
	};
	uint32_t load_mean; /* of the live vCPUs */
	uint32_t turn;	    /* of the policies that take turns */
	uint32_t nr_words;  /* event words that have a page */
	uint32_t nr_pirqs;
	struct uc_pirq *pirqs;
	uc_g32 *event_page[UC_FIFO_PAGES];
};

struct uc_domain_config {
	struct uc_host *host;
	uint16_t id; /* below host->nr_domains, free, not UC_DOMID_HOST */
	struct uc_vcpu *vcpus;
	uint32_t nr_vcpus; /* 1 to 32768 */
	struct uc_port *ports;
	uint32_t nr_ports; /* 2 to UC_FIFO_PORTS; port 0 is never used */
	/* (nr_ports + 2) * ((nr_vcpus + 63) / 64) words for affinity sets, or NULL: no sets */
	uint64_t *affinity;
	struct uc_pirq *pirqs; /* nr_pirqs of them; may be NULL for none */
	uint32_t nr_pirqs;
};

/* Enters the domain in host->domains. -EINVAL for a bad configuration, -EEXIST for a taken id. */
int uc_domain_init(struct uc_domain *d, const struct uc_domain_config *config);
/*
 * Closes every port, gives back every mapped frame, leaves host->domains. Before freeing the
 * memory the caller must know that no thread is still inside a library call that may name `d`.
 */
void uc_domain_destroy(struct uc_domain *d);

/*
 * The guest's shared_info is frame `gfn` (XENMEM_add_to_physmap). May be called again: the contents
 * move; a 2-level event raised at that very moment may be set in the old frame only. -EINVAL when
 * the frame is not RAM.
 */
int uc_domain_set_shared_info(struct uc_domain *d, uint64_t gfn);
/*
 * VCPUOP_register_vcpu_info: once per vCPU. Everything is then marked pending and the upcall is
 * raised, as Xen does, because what was raised before may have gone unseen. -EBUSY the second time,
 * -EINVAL for a bad frame, -ENXIO for an offset not aligned to 8 or too near to the page's end.
 */
int uc_vcpu_set_info(struct uc_vcpu *v, uint64_t gfn, uint32_t offset);

/*
 * The guest is a 32-bit one (or is not, as at first): its 2-level ABI has 1024 ports, 32-bit words
 * and a layout of its own; FIFO is the same for both. Xen decides by the mode in which the guest
 * registers its callback. What is in shared memory is not converted. -EBUSY when ports above the
 * limit have been allocated.
 */
int uc_domain_set_compat(struct uc_domain *d, bool compat);
/*
 * The guest gets no port number from `nr_ports` on (XEN_DOMCTL_createdomain's max_evtchn_port + 1);
 * those it has stay. UC_FIFO_PORTS or more: as many as there is memory for. -EINVAL below 2.
 */
int uc_domain_set_quota(struct uc_domain *d, uint32_t nr_ports);

/* Is v's upcall raised and not yet taken? For a host that must inject it again. */
bool uc_vcpu_upcall_pending(const struct uc_vcpu *v);

/* ---- Channels: the EVTCHNOPs with typed arguments, for any domain, unchecked for privilege. ----
 */

int uc_alloc_unbound(struct uc_domain *d, uint16_t remote_domid, uint32_t *port);
/* The new local port starts pending: a notification sent before the bind may have been dropped. */
int uc_bind_interdomain(struct uc_domain *d, uint16_t remote_domid, uint32_t remote_port,
			uint32_t *port);
/* -EEXIST when v has that VIRQ already, -EBUSY for a global VIRQ that another domain handles. */
int uc_bind_virq(struct uc_domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);
int uc_bind_ipi(struct uc_domain *d, uint32_t vcpu, uint32_t *port);
/*
 * -EINVAL for a pirq that there is not, -EPERM for one the guest may not have, -EEXIST for one that
 * is bound. A level line that is asserted already is delivered.
 */
int uc_bind_pirq(struct uc_domain *d, uint32_t pirq, uint32_t *port);
int uc_close(struct uc_domain *d, uint32_t port);
int uc_bind_vcpu(struct uc_domain *d, uint32_t port, uint32_t vcpu);
int uc_set_priority(struct uc_domain *d, uint32_t port, uint32_t priority);
int uc_unmask(struct uc_domain *d, uint32_t port);
/*
 * Raise the other end of `port` (interdomain) or the port itself (IPI). A send racing with the
 * close of its channel may reach the port's next binding as one spurious event, never a lost one.
 */
int uc_send(struct uc_domain *d, uint32_t port);

int uc_init_control(struct uc_domain *d, uint32_t vcpu, uint64_t gfn, uint32_t offset);
int uc_expand_array(struct uc_domain *d, uint64_t gfn);

/*
 * uc_init_control() for the vCPUs 0 to nr - 1, or for none: -EINVAL when a place is bad, a vCPU has
 * a block already, or there are not as many vCPUs, and then nothing has changed.
 */
int uc_init_controls(struct uc_domain *d, const struct uc_control_place *places, uint32_t nr);

/*
 * EVTCHNOP_reset: closes all ports but those that the host opened with uc_endpoint_open(), and goes
 * back to the 2-level ABI, so that the guest (after kexec) can begin anew; vcpu_infos and
 * shared_info stay. Bounded work per call: 1 means that there is more; call again with `resuming`,
 * which is EVTCHNOP_reset_cont, until it is something else. -EBUSY when one is under way (resuming:
 * when none is), -EAGAIN when the guest has opened ports meanwhile; it stays in its ABI then.
 */
int uc_reset(struct uc_domain *d, bool resuming);

/*
 * Raise a VIRQ of v (VIRQs of a domain: of v's). 0 when the guest has not bound it, -EINVAL for a
 * global one.
 */
int uc_virq_raise(struct uc_vcpu *v, uint32_t virq);

/*
 * Global VIRQs (VIRQ_CONSOLE, VIRQ_DOM_EXC, ...) are news of the host for one domain. Only that one
 * can bind them; a former handler keeps its port, and gets nothing more. UC_DOMID_HOST: nobody, as
 * at first and after the handler is gone. -EINVAL for a VIRQ that is not global, -ESRCH for a
 * domain that is not there.
 */
int uc_host_set_virq_handler(struct uc_host *host, uint32_t virq, uint16_t domid);
/* 0 also when nobody handles it. */
int uc_global_virq_raise(struct uc_host *host, uint32_t virq);

/* ---- Physical interrupts: config->pirqs. -EINVAL for one that there is not. ---- */

/* An edge, or an MSI, for a pirq of that trigger. Dropped while the guest has not bound it. */
int uc_pirq_raise(struct uc_domain *d, uint32_t pirq);
/* The line's level, for a pirq of that trigger; it is one event until the guest's EOI. */
int uc_pirq_set_level(struct uc_domain *d, uint32_t pirq, bool asserted);
/* PHYSDEVOP_eoi: the guest is done; a line that is still asserted is delivered again. */
int uc_pirq_eoi(struct uc_domain *d, uint32_t pirq);
/* PHYSDEVOP_irq_status_query: XENIRQSTAT_needs_eoi? */
int uc_pirq_needs_eoi(struct uc_domain *d, uint32_t pirq, bool *needs);

struct uc_port_info {
	enum uc_port_kind kind;
	uint16_t remote_domid;
	uint32_t index; /* as in struct uc_peer */
	uint32_t vcpu;
	uint32_t priority;
	bool pending, masked, linked;
	uint64_t events;
};

/* A snapshot for status, statistics and tests. -EINVAL for a port never allocated. */
int uc_port_info(struct uc_domain *d, uint32_t port, struct uc_port_info *info);
/* Ports that have been allocated at least once are 0 .. uc_ports_valid() - 1. */
uint32_t uc_ports_valid(const struct uc_domain *d);
bool uc_domain_is_fifo(const struct uc_domain *d);

/* ---- EVTCHNOPs from a guest (xen/event_channel.h). ---- */

/*
 * Bytes of the argument of EVTCHNOP `cmd`, or -ENOSYS. *out is set when the argument is written
 * back after success. The host copies the argument in, calls uc_evtchn_op(), copies it out.
 */
int uc_evtchn_arg_size(uint32_t cmd, bool *out);
/*
 * `arg` is the host's own copy. Checks privilege: a guest acts on itself only. 1: EVTCHNOP_reset
 * has more to do; the host lets the vCPU take its interrupts, and makes it call
 * EVTCHNOP_reset_cont.
 */
int uc_evtchn_op(struct uc_vcpu *caller, uint32_t cmd, void *arg);

/* ---- SCHEDOP_poll. ---- */

/*
 * v is about to sleep until one of `ports` is pending (masked or not) or an upcall comes. Returns
 * 0: sleep until ops->wake(v), ops->kick(v) or the time-out; 1: do not sleep; -EINVAL for a port
 * that is not usable or more than 128 ports. After 0, uc_poll_end() must follow.
 */
int uc_poll_begin(struct uc_vcpu *v, const uint32_t *ports, uint32_t nr_ports);
void uc_poll_end(struct uc_vcpu *v);

/* ---- Host end points: a call-back where another guest would be. ---- */

struct uc_endpoint {
	/*
	 * The guest notified this end. Runs in the sender's thread with no library lock held. It
	 * must not block; it may raise, but must not bind or close channels. Set by the caller
	 * before binding.
	 */
	void (*notify)(struct uc_endpoint *e);
	struct uc_domain *domain; /* these two are the library's */
	uint32_t port;
};

/* Join `e` to the guest's port, which must be unbound for UC_DOMID_HOST. notify() is called once.
 */
int uc_endpoint_bind(struct uc_endpoint *e, struct uc_domain *d, uint32_t port);
/* Allocate a port of `d` already joined to `e`, as a toolstack does for console and xenstore. */
int uc_endpoint_open(struct uc_endpoint *e, struct uc_domain *d);
/* Raise the guest's port. -ENOTCONN when the guest has closed it. */
int uc_endpoint_raise(struct uc_endpoint *e);
/*
 * There is more behind the event that the guest took last, and its rings say that it needs no
 * other: the vCPU that took it is still at work. The host hears of that by its queued(). Any
 * context, no locks.
 */
void uc_endpoint_more(struct uc_endpoint *e);
/*
 * The guest's port becomes unbound. To be called before the domain is destroyed. On return notify()
 * is not running and will not run again.
 */
void uc_endpoint_close(struct uc_endpoint *e);

#endif
