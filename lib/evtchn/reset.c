/* SPDX-License-Identifier: MIT */
/*
 * EVTCHNOP_reset: close everything, go back to the 2-level ABI, so that another kernel (kexec) can
 * begin anew. It comes in pieces (XSA-344), with the domain's lock for a port at a time.
 *
 * Ports that the host opened by itself stay, as those do whose other end is Xen. They may be raised
 * meanwhile, so the way back has rules:
 *   - d->epoch is odd from before the first queue is forgotten until after the last. What began
 *     under another epoch links nothing: it looks under the lock of the queue it would link into;
 *   - a control block is given up with all queues of its vCPU locked, the event array after all
 *     queues: whoever holds a queue's lock and found the epoch unchanged has both for as long;
 *   - at the end all ports that stay are raised again: a raise that began before, and went astray,
 *     is followed by that one.
 */
#include "private.h"

#include <xen/errno.h>

/* Ports closed in one call. */
#define BATCH 64

/* What reset_next is while a call is at work: a second one, resuming or not, is refused. */
#define AT_WORK UINT32_MAX

/* Begin, or go on: the first port to close, or 0 when that is not what the caller may do. */
static uint32_t enter(struct uc_domain *d, bool resuming)
{
	uint32_t next;

	uc_lock(&d->lock, d->host);
	next = d->reset_next;
	if (next == AT_WORK || resuming != (next != 0)) {
		next = 0;
	} else {
		next = next ? next : 1;
		d->reset_next = AT_WORK;
	}
	uc_unlock(&d->lock);
	return next;
}

static bool stays(const struct uc_domain *d, uint32_t port)
{
	return uc_load(&d->ports[port].kept) && port < uc_2l_max_ports(d);
}

static void forget_queues(struct uc_domain *d, struct uc_vcpu *v)
{
	struct uc_fifo_control_block *control = v->control;

	for (struct uc_queue *q = v->queue; q < v->queue + UC_FIFO_QUEUES; q++)
		uc_lock(&q->lock, d->host);
	uc_store_seq(&v->control, (struct uc_fifo_control_block *)0);
	for (struct uc_queue *q = v->queue; q < v->queue + UC_FIFO_QUEUES; q++) {
		q->tail = q->head = q->length = 0;
		uc_store(&q->movable, false);
		uc_unlock(&q->lock);
	}
	uc_frame_unmap(d, control);
}

/* Pages keep their addresses: a reader may have seen their number before. */
static void forget_words(struct uc_domain *d)
{
	uint32_t pages = d->nr_words / UC_FIFO_WORDS_PER_PAGE;

	uc_store_seq(&d->nr_words, 0);
	for (uint32_t i = 0; i < pages; i++)
		uc_frame_unmap(d, d->event_page[i]);
}

/* As it was opened, as far as the guest had a say; and raised, for what was lost on the way. */
static void renew(struct uc_domain *d, uint32_t port)
{
	struct uc_port *p = &d->ports[port];
	struct uc_route route = uc_route_load(p);

	route.vcpu = 0;
	route.priority = UC_FIFO_PRIORITY_DEFAULT;
	uc_port_set_route(d, p, route, 0);
	uc_raise(d, port);
}

static void renew_kept(struct uc_domain *d)
{
	uint32_t left = d->kept_ports;

	for (uint32_t port = 1; port < d->valid_ports && left; port++) {
		if (!uc_load(&d->ports[port].kept))
			continue;
		left--;
		renew(d, port);
	}
}

/* What waits at a vCPU that is not live any more goes elsewhere, as when a guest takes it offline.
 */
static void leave_vcpus(struct uc_domain *d)
{
	uc_pass_locks(d);
	for (struct uc_vcpu *v = d->vcpus; v < d->vcpus + d->nr_vcpus; v++)
		if (!uc_vcpu_is_live(v))
			uc_vcpu_handover_all(v);
}

/*
 * A bit that was set before this may have been announced to nobody, or to a vCPU that the port is
 * not bound to any more: selectors and upcalls of the former life. So everybody looks everywhere.
 */
static void select_all(struct uc_domain *d)
{
	for (struct uc_vcpu *v = d->vcpus; v < d->vcpus + d->nr_vcpus; v++) {
		uc_2l_select_all(d, v->info);
		uc_vcpu_upcall(v);
	}
}

/* d's lock held; all ports but those that stay are closed. */
static void leave_fifo(struct uc_domain *d)
{
	uc_store_seq(&d->epoch, d->epoch + 1);
	for (struct uc_vcpu *v = d->vcpus; v < d->vcpus + d->nr_vcpus; v++)
		forget_queues(d, v);
	forget_words(d);
	uc_store_seq(&d->abi, &uc_abi_2l);
	uc_store_seq(&d->epoch, d->epoch + 1);
	renew_kept(d);
	select_all(d);
}

static int finish(struct uc_domain *d)
{
	int rc = 0;

	uc_lock(&d->lock, d->host);
	d->reset_next = 0;
	if (d->open_ports > d->kept_ports) {
		leave_vcpus(d);
		rc = -XEN_EAGAIN;
	} else if (uc_domain_is_fifo(d)) {
		leave_fifo(d);
	}
	uc_unlock(&d->lock);
	return rc;
}

int uc_reset(struct uc_domain *d, bool resuming)
{
	uint32_t port = enter(d, resuming), end = port + BATCH;

	if (!port)
		return -XEN_EBUSY;
	for (; port < end; port++) {
		if (port >= uc_ports_valid(d))
			return finish(d);
		if (!stays(d, port))
			uc_close(d, port);
	}
	uc_lock(&d->lock, d->host);
	d->reset_next = port;
	uc_unlock(&d->lock);
	return 1;
}
