# SPDX-License-Identifier: MIT
"""What planted.py plants: kind, name, file, exact text and its replacement, arguments of who looks.

Most are mistakes that only an interleaving shows; some were made by others (see docs/advisories.md).
"""

FIFO = "lib/evtchn/fifo.c"
PORT = "lib/evtchn/port.c"
POLL = "lib/evtchn/poll.c"
DOMAIN = "lib/evtchn/domain.c"
SETUP = "lib/evtchn/fifo_setup.c"
TWOLEVEL = "lib/evtchn/twolevel.c"
AFFINITY = "lib/route/affinity.c"
HANDOVER = "lib/route/handover.c"
PRIVATE = "lib/evtchn/private.h"
RESET = "lib/evtchn/reset.c"
PIRQ = "lib/evtchn/pirq.c"


def bug(kind, name, file, change, *args):
    return {"kind": kind, "name": name, "file": file, "args": args,
            "change": list(zip(change[::2], change[1::2]))}


BUGS = [
    bug("lost event", "the word is looked at before PENDING is set", FIFO,
        ("\tbool was_pending = uc_g32_test_and_set(e.word, UC_FIFO_PENDING_BIT);\n\tuint32_t w;\n",
         "\tuint32_t w = uc_g32_read(e.word);\n"
         "\tbool was_pending = uc_g32_test_and_set(e.word, UC_FIFO_PENDING_BIT);\n",
         "\t\tuc_count(&d->ports[e.port].events);\n\tw = uc_g32_read(e.word);\n",
         "\t\tuc_count(&d->ports[e.port].events);\n"),
        "one-port"),
    bug("lost event", "unmask looks before it clears MASKED", FIFO,
        ("\tuc_g32_clear(e.word, UC_FIFO_MASKED_BIT);\n\tw = uc_g32_read(e.word);\n",
         "\tw = uc_g32_read(e.word);\n\tuc_g32_clear(e.word, UC_FIFO_MASKED_BIT);\n"),
        "unmask-call"),
    bug("lost event", "READY before HEAD", FIFO,
        ("\tuc_g32_write(&v->control->head[priority], port);\n"
         "\treturn !uc_g32_test_and_set(&v->control->ready, priority);",
         "\tbool was = uc_g32_test_and_set(&v->control->ready, priority);\n"
         "\tuc_g32_write(&v->control->head[priority], port);\n\treturn !was;"),
        "two-ports"),
    bug("lost event", "a poller looks before it says so", POLL,
        ("\tuc_inc(&d->pollers);\n\tuc_store_seq(&v->poll_port, nr_ports == 1 ? ports[0] : ANY_PORT);\n"
         "\trc = any_pending(d, ports, nr_ports);\n",
         "\trc = any_pending(d, ports, nr_ports);\n"
         "\tuc_inc(&d->pollers);\n\tuc_store_seq(&v->poll_port, nr_ports == 1 ? ports[0] : ANY_PORT);\n"),
        "poll"),
    bug("lost event", "the bitmaps before the selectors", DOMAIN,
        ("\t\tuse_shared_infos(d, s);\n\t\tuc_store_seq(&d->shared_info, s);\n",
         "\t\tuc_store_seq(&d->shared_info, s);\n\t\tuse_shared_infos(d, s);\n"),
        "shared-info"),
    bug("lost event", "a vCPU goes without waiting for raises", PORT,
        ("\tuc_pass_locks(v->domain);\n", ""), "offline"),
    bug("lost event", "2-level unmask looks before it clears the mask", TWOLEVEL,
        ("if (s && uc_g32_test_and_clear(mask_word(d, s, port), port % 32) &&\n"
         "\t    is_set(pending_word(s, port), port))",
         "if (s && is_set(pending_word(s, port), port) &&\n"
         "\t    uc_g32_test_and_clear(mask_word(d, s, port), port % 32))"),
        "two-level-unmask"),
    bug("lost event", "a mark taken after a reset, an epoch of before", FIFO,
        ("\t\tpark(d, port);\n\t\treturn;\n", "\t\tuc_store_seq(&d->ports[port].parked, 1);\n\t\te.word = uc_fifo_word(d, port);\n"
         "\t\tif (!e.word || !uc_xchg(&d->ports[port].parked, 0))\n\t\t\treturn;\n"),
        "kexec"),
    bug("lost event", "what stays open is not raised again after a reset", RESET,
        ("\trenew_kept(d);\n", ""), "reset"),
    bug("lost event", "a raise does not ask whether there was a reset", FIFO,
        ("return uc_load_seq(&d->epoch) == e.epoch && uc_load_seq(&v->control);", "return uc_load_seq(&v->control);"),
        "kexec"),
    bug("double link", "LINKED is looked at, then set", FIFO,
        ("|| uc_g32_test_and_set(e.word, UC_FIFO_LINKED_BIT))", "|| (uc_g32_read(e.word) & UC_FIFO_LINKED))",
         "\treturn uc_fifo_append(d, v, priority, old, e.port) ?",
         "\tuc_g32_set(e.word, UC_FIFO_LINKED_BIT);\n\treturn uc_fifo_append(d, v, priority, old, e.port) ?",
         "\tuc_lock(&q->lock, d->host);\n\tsettled =", "\tsettled =",
         "\t\tdone = link_at(d, v, route.priority, q, e);\n\tuc_unlock(&q->lock);\n",
         "\t\tdone = link_at(d, v, route.priority, q, e);\n"),
        "one-port", "two-ports"),
    bug("double link", "a hand-over does not ask who cleared READY", HANDOVER,
        ("\t    uc_g32_test_and_clear(&v->control->ready, priority)) {",
         "\t    (uc_g32_read(&v->control->ready) & (1u << priority))) {\n"
         "\t\tuc_g32_clear(&v->control->ready, priority);"),
        "hand-over"),
    bug("cycle", "a moved port keeps its LINK", HANDOVER,
        ("\t\trelink(d, port, 0);\n", ""), "hand-over-both", "hand-over"),
    bug("cycle", "the port itself is linked behind its own word", FIFO,
        ("\tif (old->tail == port)\n\t\told->tail = 0;\n",
         "\tif (old->tail == port && old != &v->queue[priority])\n\t\told->tail = 0;\n"),
        "one-port"),
    bug("stale tail", "a port that went elsewhere stays its old queue's tail", FIFO,
        ("\tif (old->tail == port)\n\t\told->tail = 0;\n", ""), "old-tail"),
    bug("stale tail", "the route is not looked at again under the lock", FIFO,
        ("\tif (uc_load(&d->ports[port].route_word) != uc_route_word(route))\n\t\treturn false;\n", ""),
        "bind-vcpu-two"),
    bug("unbounded loop", "the guest decides how often a link is tried", FIFO,
        ("for (try = 1; try < LINK_TRIES; try++)", "for (try = 1;; try++)"), "hostile-raise"),
    bug("unbounded loop", "the walk of a queue follows the guest's words", HANDOVER,
        ("\t\tuint32_t next = uc_load(&d->ports[port].next);\n",
         "\t\tuint32_t next = uc_g32_read(uc_fifo_word(d, port)) & UC_FIFO_LINK_MASK;\n"),
        "hostile-hand-over"),
    bug("set", "an event waits outside its port's set", AFFINITY,
        ("\t\tif (!uc_port_may_use(d, port, route.last_vcpu))\n"
         "\t\t\tuc_vcpu_handover_all(&d->vcpus[route.last_vcpu]);\n", ""),
        "affinity"),
    bug("late notify", "an end point is closed while notify() runs", PORT,
        ("\twhile (__atomic_fetch_add(&p->in_endpoint, 0, __ATOMIC_SEQ_CST))\n\t\tuc_spin(&spins, d->host);\n",
         "\t(void)spins;\n"),
        "endpoint-close"),
    bug("deadlock", "two locks in the order they are named", "lib/evtchn/lock.c",
        ("uc_lock((uintptr_t)a < (uintptr_t)b ? a : b, host);\n"
         "\tuc_lock((uintptr_t)a < (uintptr_t)b ? b : a, host);",
         "uc_lock(a, host);\n\tuc_lock(b, host);"),
        "hand-over-both", "pair-close-both"),
]

RANDOM = ("--runs", "40000")

# For fuzz/ops without libFuzzer.
FUZZ_BUGS = [
    bug("bad access", "the port after the last is taken for valid", PRIVATE,
        ("return port < valid ?", "return port < valid + 1 ?"), *RANDOM),
    bug("bad access", "a control block over the end of its frame", SETUP,
        ("offset <= UC_FRAME_SIZE - sizeof(struct uc_fifo_control_block) &&", "offset <= UC_FRAME_SIZE - 8 &&"), *RANDOM),
    bug("bad access", "vcpu_info copied onto itself", DOMAIN,
        ("memcpy(info, &old, sizeof(old));", "memcpy(info, v->info, sizeof(*info));"), *RANDOM),
    bug("stale tail", "a port that went elsewhere stays its old queue's tail", FIFO,
        ("\tif (old->tail == port)\n\t\told->tail = 0;\n", ""), *RANDOM),
    bug("lost event", "a tail is linked though the guest consumed it", FIFO,
        ("linked = word & UC_FIFO_LINKED;", "linked = true;",
         "\tif (!(word & UC_FIFO_LINKED))\n\t\treturn false;\n\treturn uc_g32_cas(", "\treturn uc_g32_cas("), *RANDOM),
    bug("unbounded", "the walk of a queue follows the guest's words", HANDOVER,
        ("\t\tuint32_t next = uc_load(&d->ports[port].next);\n",
         "\t\tuint32_t next = uc_g32_read(uc_fifo_word(d, port)) & UC_FIFO_LINK_MASK;\n"), *RANDOM),
    bug("count", "a poll that is refused stays counted", POLL,
        ("\tif (rc)\n\t\tuc_poll_end(v);\n", ""), *RANDOM),
    bug("count", "a closed timer is still the vCPU's", PORT,
        ("\tif (peer.kind == UC_PORT_VIRQ)\n\t\tuc_virq_unbind(", "\tif (0)\n\t\tuc_virq_unbind("), *RANDOM),
    bug("count", "a frame stays mapped", DOMAIN, ("\t\tuc_frame_unmap(d, v->control);\n", ""), *RANDOM),
]
