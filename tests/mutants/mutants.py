# SPDX-License-Identifier: MIT
"""What to break: name, file, exact text and its replacement, the invariant of design.md that breaks.

Invariants: 1 nothing is lost, 2 nothing is corrupted, 3 a guest cannot hurt the host, 4 per-vCPU
events never move, 6 ordering; "ABI": a rule of Xen's ABI that guests rely on; "cost": a promise about
locks.
"""

FIFO = "lib/evtchn/fifo.c"
SETUP = "lib/evtchn/fifo_setup.c"
TWOLEVEL = "lib/evtchn/twolevel.c"
PORT = "lib/evtchn/port.c"
POLL = "lib/evtchn/poll.c"
DOMAIN = "lib/evtchn/domain.c"
ENDPOINT = "lib/evtchn/endpoint.c"
SEND = "lib/evtchn/send.c"
OP = "lib/evtchn/op.c"
PRIVATE = "lib/evtchn/private.h"
POLICY = "lib/route/policy.c"
AFFINITY = "lib/route/affinity.c"
HANDOVER = "lib/route/handover.c"

CLAIM = "if (uc_g32_test_and_clear(&v->control->ready, priority)) {"
# The unsafe variant: READY is looked at and cleared, but nobody asks who cleared it.
NO_CLAIM = "if (uc_g32_read(&v->control->ready) & (1u << priority)) {\n\t\tuc_g32_clear(&v->control->ready, priority);"
LOOK = "if (!(uc_g32_read(word) & (UC_FIFO_LINKED | UC_FIFO_MASKED)))"


def mutant(invariant, name, file, *change, by=None):
    """`by`: the tests that must notice, when another one would notice anyway."""
    pairs = list(zip(change[::2], change[1::2]))
    return {"invariant": invariant, "name": name, "file": file, "change": pairs, "by": by}


MUTANTS = [
    # Queues.
    mutant("2", "a linked word is linked again", FIFO,
           "|| uc_g32_test_and_set(word, UC_FIFO_LINKED_BIT))",
           "|| (uc_g32_test_and_set(word, UC_FIFO_LINKED_BIT) && 0))"),
    mutant("2", "the old tail is followed", FIFO,
           "if (old->tail == port)", "if (0)"),
    mutant("2", "the old tail is forgotten in its own queue only", FIFO,
           "if (old->tail == port)", "if (old->tail == port && old == q)"),
    mutant("2", "the old tail is forgotten in other queues only", FIFO,
           "if (old->tail == port)", "if (old->tail == port && old != q)"),
    mutant("2", "the queue a port moved to is not recorded", FIFO,
           "route.last_vcpu = (uint16_t)v->id;", ""),
    mutant("2", "the priority a port moved to is not recorded", FIFO,
           "route.last_priority = route.priority;", ""),
    mutant("1", "a tail is linked though the guest consumed it", FIFO,
           "linked = word & UC_FIFO_LINKED;", "linked = true;"),
    mutant("1", "a queue without tail gets no HEAD", FIFO,
           "uc_g32_write(&v->control->head[priority], port);",
           "if (tail) uc_g32_write(&v->control->head[priority], port);"),
    mutant("1", "READY before HEAD", FIFO,
           "uc_g32_write(&v->control->head[priority], port);\n"
           "\treturn !uc_g32_test_and_set(&v->control->ready, priority);",
           "bool was = uc_g32_test_and_set(&v->control->ready, priority);\n"
           "\tuc_g32_write(&v->control->head[priority], port);\n\treturn !was;"),
    mutant("1", "upcall before the event is linked", FIFO,
           "\tuc_lock(&q->lock, d->host);\n\t/* The set",
           "\tuc_vcpu_upcall(v);\n\tuc_lock(&q->lock, d->host);\n\t/* The set",
           "\tif (done == LINKED_UPCALL)\n\t\tuc_vcpu_upcall(v);\n", "",
           "\tv = fifo_link_moving(d, port, word);\n\tif (v)\n\t\tuc_vcpu_upcall(v);\n",
           "\tuc_vcpu_upcall(&d->vcpus[d->ports[port].route.vcpu]);\n"
           "\tv = fifo_link_moving(d, port, word);\n"),
    mutant("1", "no upcall for a new HEAD", FIFO,
           "\treturn !uc_g32_test_and_set(&v->control->ready, priority);",
           "\treturn uc_g32_test_and_set(&v->control->ready, priority) && 0;"),
    mutant("2", "the route is not looked at again under the lock", FIFO,
           "settled = uc_load(&p->route_word) == uc_route_word(route) &&", "settled ="),
    mutant("2", "a closed port is linked", FIFO,
           "\tif (route.usable)\n\t\tdone =", "\tdone ="),
    mutant("6", "priorities are ignored", FIFO,
           "q = &v->queue[route.priority];\n\told =", "route.priority = 7, q = &v->queue[7];\n\told ="),

    # Hostile guests.
    mutant("3", "the guest decides how often a link is tried", FIFO,
           "for (try = 0; try < LINK_TRIES; try++)", "for (try = 0;; try++)"),
    mutant("1", "linking is given up after the last try", FIFO,
           "linked = fifo_link_by_adding(tail, port);", "linked = true;"),
    mutant("3", "BUSY stays set", FIFO,
           "\tif (try > 0)\n\t\tuc_g32_clear(tail, UC_FIFO_BUSY_BIT);\n", ""),
    mutant("3", "a word without a page is accessed", FIFO,
           "if (port >= words)", "if (0)"),
    mutant("3", "the guest's LINK is kept when a tail is linked", FIFO,
           "(word & ~(UC_FIFO_BUSY | UC_FIFO_LINK_MASK)) | port", "(word & ~UC_FIFO_BUSY) | port"),
    mutant("3", "the port after the last is taken for valid", PRIVATE,
           "return port < valid ?", "return port < valid + 1 ?"),
    mutant("3", "the vCPU after the last is taken for valid", PRIVATE,
           "return vcpu < d->nr_vcpus ?", "return vcpu <= d->nr_vcpus ?"),
    mutant("3", "any number of ports can be polled", POLL,
           "if (nr_ports > MAX_PORTS)", "if (0)"),
    mutant("3", "a control block may cross its page", SETUP,
           "if (offset > UC_FRAME_SIZE - sizeof(struct uc_fifo_control_block) || offset % 8)",
           "if (offset > UC_FRAME_SIZE || offset % 8)"),
    mutant("3", "a vCPU may have two control blocks", SETUP,
           "frame = v->control ? 0 : uc_frame_map(d, gfn);", "frame = uc_frame_map(d, gfn);"),
    mutant("3", "a guest allocates ports of other domains", OP,
           "\t\treturn -XEN_EPERM;", "\t\treturn 0;"),

    # Raising.
    mutant("ABI", "MASKED is ignored in FIFO", FIFO, LOOK,
           "if (!(uc_g32_read(word) & UC_FIFO_LINKED))"),
    mutant("cost", "an event on its way takes the lock", FIFO, LOOK,
           "if (!(uc_g32_read(word) & UC_FIFO_MASKED))"),
    mutant("1", "a word left pending is never linked again", FIFO, LOOK,
           "if (!was_pending && !(uc_g32_read(word) & (UC_FIFO_LINKED | UC_FIFO_MASKED)))"),
    mutant("1", "FIFO looks before it sets PENDING", FIFO,
           "\twas_pending = uc_g32_test_and_set(word, UC_FIFO_PENDING_BIT);",
           "\tuint32_t early = uc_g32_read(word);\n"
           "\twas_pending = uc_g32_test_and_set(word, UC_FIFO_PENDING_BIT);",
           LOOK, "if (!(early & (UC_FIFO_LINKED | UC_FIFO_MASKED)))"),
    mutant("ABI", "mask is ignored in 2-level", TWOLEVEL,
           "if (!((uc_g64_read(&s->mask[port / 64]) >> (port % 64)) & 1))", "if (1)"),
    mutant("1", "upcall on every event", DOMAIN,
           "if (!uc_g8_xchg(&info->upcall_pending, 1)) {",
           "uc_g8_xchg(&info->upcall_pending, 1); {"),
    mutant("1", "no upcall", DOMAIN,
           "if (!uc_g8_xchg(&info->upcall_pending, 1)) {",
           "if (!uc_g8_xchg(&info->upcall_pending, 1) && 0) {"),
    mutant("1", "unmask does not relink in FIFO", FIFO,
           "if ((w & UC_FIFO_PENDING) && !(w & UC_FIFO_LINKED))", "if (0)"),
    mutant("1", "unmask looks before it clears MASKED", FIFO,
           "\tuc_g32_clear(word, UC_FIFO_MASKED_BIT);\n\tw = uc_g32_read(word);",
           "\tw = uc_g32_read(word);\n\tuc_g32_clear(word, UC_FIFO_MASKED_BIT);"),
    mutant("1", "unmask does not deliver in 2-level", TWOLEVEL,
           "uc_abi_2l.is_pending(d, port))", "0)"),

    # What was raised too early.
    mutant("1", "a parked raise is not replayed", DOMAIN,
           "if (uc_xchg(&d->ports[port].parked, 0))", "if (uc_xchg(&d->ports[port].parked, 0) && 0)"),
    mutant("1", "a parked raise is replayed for ever", DOMAIN,
           "if (uc_xchg(&d->ports[port].parked, 0))", "if (d->ports[port].parked)"),
    mutant("1", "no second look after parking in FIFO", FIFO,
           "return word && uc_xchg(&p->parked, 0) ? word : 0;", "return 0;"),
    mutant("1", "no second look after parking in 2-level", TWOLEVEL,
           "return s && uc_xchg(&p->parked, 0) ? s : 0;", "return 0;"),
    mutant("1", "the page is published after the look for parked", SETUP,
           "\tuc_store_seq(&d->nr_words, first + UC_FIFO_WORDS_PER_PAGE);\n"
           "\tuc_ports_unpark(d, first, first + UC_FIFO_WORDS_PER_PAGE);",
           "\tuc_ports_unpark(d, first, first + UC_FIFO_WORDS_PER_PAGE);\n"
           "\tuc_store_seq(&d->nr_words, first + UC_FIFO_WORDS_PER_PAGE);"),
    mutant("1", "no second look at the ABI", TWOLEVEL,
           "if (uc_abi_of(d) != &uc_abi_2l) {", "if (0) {"),
    mutant("1", "2-level events are not carried into FIFO", SETUP,
           "if (uc_2l_take_pending(d, port))", "if (0)"),
    mutant("1", "a new control block does not look for events", SETUP,
           "\t\trelink_pending(d, v);\n", ""),
    mutant("1", "the control block is published after the look", SETUP,
           "\t\trelink_pending(d, v);\n", "",
           "\t\tuc_store_seq(&v->control,", "\t\trelink_pending(d, v);\n\t\tuc_store_seq(&v->control,"),
    mutant("1", "bind_vcpu leaves events behind", PORT,
           "if (!old->control && uc_abi_of(d)->is_pending(d, port))", "if (0)"),
    mutant("1", "shared_info does not take over the upcall", DOMAIN,
           "if (uc_g8_xchg(&v->no_info.upcall_pending, 0))", "if (0)"),
    mutant("1", "a new vcpu_info starts without an upcall", DOMAIN,
           "\t\tuc_vcpu_upcall(v);\n\t}\n\tuc_unlock", "\t}\n\tuc_unlock"),

    # Life of a port.
    mutant("2", "a port is reused while linked", PORT,
           "if (i < d->valid_ports && abi->is_busy(d, i))", "if (0)"),
    mutant("1", "PENDING of a former life stays", PORT,
           "if (!old.usable && route.usable)", "if (0)"),
    mutant("1", "a parked raise of a former life stays", PORT,
           "\tuc_store_seq(&p->parked, 0);\n\tuc_port_set_route", "\tuc_port_set_route",
           "\tuc_store_seq(&p->parked, 0);\n\tif (port < d->first_free)",
           "\tif (port < d->first_free)"),
    mutant("ABI", "priority is not reset", PORT,
           ".priority = UC_FIFO_PRIORITY_DEFAULT,", ".priority = uc_route_load(p).priority,",
           "set_route(d, p, (struct uc_route){0}, 0);",
           "set_route(d, p, (struct uc_route){.priority = uc_route_load(p).priority}, 0);"),
    mutant("1", "bind_interdomain does not start pending", PORT,
           "\t\tuc_raise(d, *port);\n", ""),
    mutant("ABI", "closed ports are not found again", PORT,
           "if (port < d->first_free)", "if (0)"),
    mutant("2", "close unlocks what it did not lock", PORT,
           "rc = close_locked(d, port, rd, &rd_now);", "rc = close_locked(d, port, rd, &rd);"),
    mutant("2", "close leaves the peer joined", PORT,
           "(struct uc_peer){.kind = UC_PORT_UNBOUND, .domid = d->id});",
           "(struct uc_peer){.kind = UC_PORT_INTERDOMAIN, .domid = d->id});"),
    mutant("2", "any domain takes an unbound port", PORT,
           "return peer.kind == UC_PORT_UNBOUND && peer.domid == domid;",
           "return peer.kind == UC_PORT_UNBOUND;"),

    # Per-vCPU events.
    mutant("4", "a timer VIRQ comes on vCPU 0", PORT,
           "(struct uc_peer){.kind = UC_PORT_VIRQ, .index = virq}, v->id);",
           "(struct uc_peer){.kind = UC_PORT_VIRQ, .index = virq}, 0);"),
    mutant("4", "a VIRQ is raised on vCPU 0", SEND,
           "if (!uc_virq_is_per_vcpu(virq))", "if (1)"),
    mutant("4", "an IPI comes on vCPU 0", PORT,
           "(struct uc_peer){.kind = UC_PORT_IPI}, vcpu);", "(struct uc_peer){.kind = UC_PORT_IPI}, 0);"),
    mutant("4", "bind_vcpu moves IPIs", PORT,
           "(peer.kind == UC_PORT_VIRQ && !uc_virq_is_per_vcpu(peer.index))",
           "peer.kind == UC_PORT_IPI ||\n"
           "\t    (peer.kind == UC_PORT_VIRQ && !uc_virq_is_per_vcpu(peer.index))"),
    mutant("4", "bind_vcpu moves timers", PORT,
           "(peer.kind == UC_PORT_VIRQ && !uc_virq_is_per_vcpu(peer.index))",
           "peer.kind == UC_PORT_VIRQ"),
    mutant("4", "a guest binds the host's VIRQs", PORT,
           "if (!uc_virq_is_per_vcpu(virq) && virq != VIRQ_ARGO)", "if (0)"),
    mutant("4", "a closed VIRQ stays in its table", PORT,
           "if (peer.kind == UC_PORT_VIRQ)\n\t\tuc_store_release(",
           "if (0)\n\t\tuc_store_release("),

    # Poll.
    mutant("1", "poll is not woken by a masked event", FIFO,
           "\tif (!was_pending)\n\t\tuc_check_pollers(d, port);",
           "\tif (!was_pending && !(uc_g32_read(word) & UC_FIFO_MASKED))\n"
           "\t\tuc_check_pollers(d, port);"),
    mutant("1", "poll is woken before the event is linked", FIFO,
           "\tif (!was_pending)\n\t\tuc_check_pollers(d, port);", "",
           "\tif (!was_pending)\n\t\tuc_count(&p->events);",
           "\tif (!was_pending) {\n\t\tuc_count(&p->events);\n\t\tuc_check_pollers(d, port);\n\t}"),
    mutant("1", "poll is not woken in 2-level", TWOLEVEL,
           "\tuc_check_pollers(d, port);\n", ""),
    mutant("1", "poll does not look at PENDING", POLL,
           "if (uc_abi_of(d)->is_pending(d, ports[i]))", "if (0)"),
    mutant("1", "poll looks before it says so", POLL,
           "\tuc_inc(&d->pollers);\n", "\trc = any_pending(d, ports, nr_ports);\n\tuc_inc(&d->pollers);\n",
           "\trc = any_pending(d, ports, nr_ports);\n\tif (rc)", "\tif (rc)"),

    # End points.
    mutant("2", "the host closes without waiting for notify", ENDPOINT,
           "\t\tuc_endpoint_quiesce(d, p);\n", ""),
    mutant("2", "the guest closes without waiting for notify", PORT,
           "\tif (peer.kind == UC_PORT_HOST)\n\t\tuc_endpoint_quiesce(d, p);\n", ""),
    mutant("2", "an end point raises a port that is another's", ENDPOINT,
           "kind == UC_PORT_HOST && uc_load(&p->endpoint) == e;", "kind == UC_PORT_HOST;"),
    mutant("1", "a bound end point is not told of what it missed", ENDPOINT,
           "\tif (!rc)\n\t\te->notify(e);\n", ""),

    # Hand-over.
    mutant("1", "no claim: seen by steps", HANDOVER, CLAIM, NO_CLAIM, by=["steps_route"]),
    mutant("1", "no claim: seen by the stress", HANDOVER, CLAIM, NO_CLAIM, by=["moves"]),
    mutant("1", "what the guest has taken is handed over", HANDOVER, CLAIM,
           "uc_g32_clear(&v->control->ready, priority); {"),
    mutant("2", "a claim without the queue's lock", HANDOVER,
           "\tuc_lock(&q->lock, d->host);\n\tif (uc_g32_test", "\tif (uc_g32_test",
           "\t}\n\tuc_unlock(&q->lock);\n", "\t}\n"),
    mutant("2", "the old tail stays after a hand-over", HANDOVER,
           "\tif (!rest)\n\t\tq->tail = stay->last;\n", ""),
    mutant("1", "what stays gets READY before HEAD", HANDOVER,
           "\tuc_g32_write(&v->control->head[priority], q->head);\n"
           "\tuc_g32_set(&v->control->ready, priority);\n",
           "\tuc_g32_set(&v->control->ready, priority);\n"
           "\tuc_g32_write(&v->control->head[priority], q->head);\n"),
    mutant("1", "what stays gets no READY", HANDOVER,
           "\tuc_g32_set(&v->control->ready, priority);\n", ""),
    mutant("1", "no upcall for what stays", HANDOVER,
           "\tif (upcall)\n\t\tuc_vcpu_upcall(v);\n}\n\n/* Link", "}\n\n/* Link"),
    mutant("2", "LINK of a moved port is kept", HANDOVER, "\trelink(d, port, 0);\n", ""),
    mutant("2", "LINK of the last that stays is kept", HANDOVER,
           "\t\trelink(d, stay->last, rest);\n", ""),
    mutant("2", "where a moved port is now is not recorded", HANDOVER,
           "\troute.last_vcpu = (uint16_t)v->id;\n", ""),
    mutant("1", "no upcall for what moved", HANDOVER,
           "upcall = uc_fifo_append(", "upcall = 0 & uc_fifo_append("),
    mutant("6", "moved events keep their old priority", HANDOVER,
           "\tif (!route.usable)\n\t\troute.priority", "\troute.priority"),
    mutant("1", "what lies behind the last one looked at is forgotten", HANDOVER,
           "\t\t\treturn port;\n", "\t\t\treturn 0;\n"),
    mutant("2", "closed ports are handed over", HANDOVER,
           "return route.usable && uc_route_choose", "return uc_route_choose"),
    mutant("3", "a record that the guest made stale is believed", HANDOVER,
           "\t\tif (!belongs(d, port, v, priority))\n\t\t\treturn 0;\n", ""),
    mutant("3", "a word that the guest unlinked is handed over", HANDOVER,
           "return route.last_vcpu == v->id && route.last_priority == priority && word &&\n"
           "\t       (uc_g32_read(word) & UC_FIFO_LINKED);",
           "return route.last_vcpu == v->id && route.last_priority == priority && word;"),
    mutant("2", "the record forgets what is behind a tail", FIFO,
           "\tif (q->tail)\n\t\tuc_store(&d->ports[q->tail].next, port);\n", ""),
    mutant("2", "the record counts wrongly", FIFO, "\tq->length++;\n", ""),

    # Routing.
    mutant("4", "per-vCPU ports follow", POLICY,
           "\tif (route.policy == UC_ROUTE_PER_VCPU)\n\t\treturn route.vcpu;\n", "",
           "\tif (route.policy == UC_ROUTE_PER_VCPU)\n\t\treturn UC_POLICY_PINNED;\n",
           "\tif (route.policy == UC_ROUTE_PER_VCPU)\n\t\treturn uc_load(&d->policy);\n"),
    mutant("4", "per-vCPU ports have sets", AFFINITY,
           "if (!d->affinity || uc_route_load(&d->ports[port]).policy == UC_ROUTE_PER_VCPU)",
           "if (!d->affinity)"),
    mutant("4", "a policy is given to a per-vCPU port", AFFINITY,
           "\tif (!route.usable || route.policy == UC_ROUTE_PER_VCPU)\n\t\trc = -XEN_EINVAL;\n"
           "\telse if (policy", "\tif (!route.usable)\n\t\trc = -XEN_EINVAL;\n\telse if (policy"),
    mutant("5", "the set is not looked at again under the lock", FIFO,
           "settled = uc_load(&p->route_word) == uc_route_word(route) &&\n"
           "\t\t  uc_route_may_stay(d, port, route);",
           "settled = uc_load(&p->route_word) == uc_route_word(route);"),
    mutant("1", "liveness is not looked at again under the lock", POLICY,
           "return uc_vcpu_is_live(&d->vcpus[route.last_vcpu]) ||", "return 1 ||"),
    mutant("5", "what waits outside a new set stays there", AFFINITY,
           "\t\tif (!uc_port_may_use(d, port, route.last_vcpu))", "\t\tif (0)"),
    mutant("5", "a new set looks where the port was before", AFFINITY,
           "\t\troute = uc_route_load(p);\n\t\tif", "\t\tif"),
    mutant("5", "a new set moves 256 at most", AFFINITY,
           "uc_vcpu_handover_all(&d->vcpus[route.last_vcpu]);",
           "uc_vcpu_handover(&d->vcpus[route.last_vcpu]);"),
    mutant("5", "the domain's set does not wait for raises", AFFINITY,
           "\t\tuc_pass_locks(d);\n", ""),
    mutant("5", "the domain's set moves nothing", AFFINITY,
           "\t\t\tuc_vcpu_handover_all(&d->vcpus[i]);\n", "\t\t\t;\n"),
    mutant("5", "a set of offline vCPUs is taken", AFFINITY,
           "return any ? -XEN_ENODEV : -XEN_EINVAL;", "return any ? 0 : -XEN_EINVAL;"),
    mutant("5", "an empty set is taken", AFFINITY,
           "return any ? -XEN_ENODEV : -XEN_EINVAL;", "return any ? -XEN_ENODEV : 0;"),
    mutant("5", "a set outlives its port", PORT, "\t\t\t  all);", "\t\t\t  0);"),
    mutant("1", "a vCPU without control block is live", POLICY,
           "return uc_load_acquire(&v->control) && uc_load(&v->per_vcpu_ports);",
           "return uc_load(&v->per_vcpu_ports);"),
    mutant("1", "a vCPU without per-vCPU ports is live", POLICY,
           "return uc_load_acquire(&v->control) && uc_load(&v->per_vcpu_ports);",
           "return uc_load_acquire(&v->control);"),
    mutant("1", "a vCPU that goes hands nothing over", PORT,
           "\tuc_vcpu_handover_all(v);\n", ""),
    mutant("1", "a vCPU that goes hands 256 over", PORT,
           "\tuc_vcpu_handover_all(v);\n", "\tuc_vcpu_handover(v);\n"),
    mutant("1", "a vCPU that goes does not wait for raises", PORT,
           "\tuc_pass_locks(v->domain);\n", ""),
    mutant("1", "with the whole set offline, where it was last", POLICY,
           "first_candidate(d, port, route.vcpu, route.vcpu);",
           "first_candidate(d, port, route.vcpu, route.last_vcpu);"),
    mutant("policy", "follow does not look who runs", POLICY,
           "return a.state != b.state ? a.state < b.state : a.order < b.order;",
           "return a.order < b.order;"),
    mutant("policy", "follow takes who waits shortest", POLICY,
           ".order = state == UC_VCPU_PREEMPTED ? since :", ".order = state == UC_VCPU_PREEMPTED ? ~since :"),
    mutant("policy", "follow never balances", POLICY,
           "return uc_load(&d->vcpus[vcpu].load) > 2 *", "return 0 && uc_load(&d->vcpus[vcpu].load) > 2 *"),
    mutant("policy", "follow hops at every raise", POLICY,
           "return load > LOAD_SLACK ? 2 * (load - LOAD_SLACK) : 0;", "return 2 * load + 1;"),
    mutant("policy", "loads never decay", POLICY,
           "\tif (load >= LOAD_PERIOD)\n\t\tdecay(d);\n", ""),
    mutant("policy", "round-robin stays", POLICY,
           "(route.last_vcpu + 1u) % d->nr_vcpus", "route.last_vcpu"),
    mutant("policy", "a port's own policy is ignored", POLICY,
           "return route.policy ? (enum uc_policy)(route.policy - 1)", "return 0 ? (enum uc_policy)(route.policy - 1)"),
]
