/* SPDX-License-Identifier: MIT */
/*
 * The hand-over of lib/route/handover.c against the raise of lib/evtchn/fifo.c and Linux's FIFO
 * consumer: two vCPUs with one queue each, two senders, three ports, one hand-over agent.
 *
 * Each access to what the guest shares is a step of its own: PENDING, LINKED and LINK of the words,
 * HEAD, READY, upcall_pending. A step begins with the locks that are taken for it and ends with those
 * that are dropped after it, and has all private state between (Lipton's reduction: taking a lock
 * moves right, dropping it moves left); a lock that is held makes the step wait inside. Accesses to
 * a claimed list's words are one step, and an assertion fails when anybody else looks at one then.
 * Which vCPU a per-OS port goes to is left open: every policy, every stale run state is in it.
 * Port 3 is per-vCPU, of vCPU 0. See README.md for what is not modelled, and for the results.
 *
 * Mutants: see README.md.
 */
#ifndef RAISES_A
#define RAISES_A 2
#endif
#ifndef RAISES_B
#define RAISES_B 2
#endif
#ifndef HANDOVERS
#define HANDOVERS 2
#endif

#define PER_VCPU 3

/* The guest's words. */
bit pending[4], linked[4], ready[2], upcall[2];
byte link[4], head[2];
/* The interrupt: raised by the 0 -> 1 edge of upcall, taken when the handler is entered. */
bit irq[2];
/* Ours: queue->tail, queue->head, port->next, route.last_vcpu, locks. */
byte tail[2], first[2], next[4], last[4];
bit queue_lock[2], port_lock[4];
/* For the assertions: the queue whose list the port is in, plus 1; senders and agents that are done. */
byte in_list[4], done;

#define LOCK(l)	  !(l) -> l = 1

/* By address, as uc_lock_two(). */
inline lock_two(a, b)
{
	if
	:: a == b -> LOCK(queue_lock[a])
	:: a != b -> LOCK(queue_lock[0]); LOCK(queue_lock[1])
	fi
}

inline unlock_two(a, b)
{
	queue_lock[a] = 0;
	queue_lock[b] = 0
}

inline raise_upcall(v)
{
	atomic {
		irq[v] = irq[v] || !upcall[v];
		upcall[v] = 1
	}
}

inline choose(p, v)
{
	if
	:: p == PER_VCPU -> v = 0
	:: p != PER_VCPU -> v = 0
	:: p != PER_VCPU -> v = 1
	fi
}

/* uc_fifo_append() up to the first access to the guest's words. `t` is the tail, or 0. */
inline append_begin(q, old, p, t)
{
	assert(linked[p] && in_list[p] == 0);
#ifndef FOLLOW_OLD
	tail[old] = (tail[old] == p -> 0 : tail[old]);
#endif
	t = tail[q];
	next[p] = 0;
	next[t] = p;
	next[0] = 0; /* t may be "none" */
	tail[q] = p;
	in_list[p] = q + 1
}

/* The rest, and what follows under the locks: route.last_vcpu, and the locks are dropped. */
inline append_end(q, old, p, t, due, drop_port_lock)
{
	if
	:: t != 0 ->
		/* The compare-and-swap of the tail's word, when it succeeds: fifo_link_tail(). */
		atomic {
			t = (linked[t] -> t : 0);
			assert(t == 0 || link[t] == 0);
			link[t] = p;
			link[0] = 0
		}
	:: t == 0
	fi;
	if
	:: t == 0 ->
#ifdef READY_FIRST
		atomic { due = !ready[q]; ready[q] = 1 };
		atomic { first[q] = p; head[q] = p; last[p] = q; unlock_two(q, old); port_lock[p] = port_lock[p] && !drop_port_lock }
#else
		atomic { first[q] = p; head[q] = p };
		atomic { due = !ready[q]; ready[q] = 1; last[p] = q; unlock_two(q, old); port_lock[p] = port_lock[p] && !drop_port_lock }
#endif
	:: t != 0 ->
		atomic { last[p] = q; unlock_two(q, old); port_lock[p] = port_lock[p] && !drop_port_lock }
	fi
}

/* fifo_link_again(); `settled`: nothing is left to do. */
inline link_again(p)
{
	atomic {
		LOCK(queue_lock[v]);
		settled = (last[p] == v);
		fresh = settled && !linked[p];
		if
		:: fresh -> linked[p] = 1; append_begin(v, v, p, t)
		:: else -> queue_lock[v] = 0
		fi
	};
	if
	:: fresh -> append_end(v, v, p, t, due, 0)
	:: else
	fi
}

inline link_moving(p)
{
	atomic {
		LOCK(port_lock[p]);
		choose(p, v);
		old = last[p];
		lock_two(v, old);
		fresh = !linked[p];
		if
		:: fresh -> linked[p] = 1; append_begin(v, old, p, t)
		:: else -> unlock_two(v, old); port_lock[p] = 0
		fi
	};
	if
	:: fresh -> append_end(v, old, p, t, due, 1)
	:: else
	fi
}

inline raise(p)
{
	pending[p] = 1;
	if
	:: linked[p]
	:: atomic { !linked[p] -> v = last[p] };
		if
		:: true -> link_again(p) /* the policy said: where it was */
		:: p != PER_VCPU	 /* elsewhere */
		fi;
		if
		:: settled
		:: else -> link_moving(p)
		fi;
		if
		:: due -> raise_upcall(v)
		:: else
		fi
	fi
}

proctype sender(byte raises; byte other)
{
	byte p, v, old, t;
	bit due, settled, fresh;

	do
	:: raises > 0 ->
		raises--;
		if
		:: p = 1
		:: p = other
		fi;
		raise(p);
		/* Values that nobody reads again are no states of their own. */
		atomic { p = 0; v = 0; old = 0; t = 0; due = 0; settled = 0; fresh = 0 }
	:: raises == 0 -> break
	od;
	done++
}

/* sort_out(): the record from first[v] becomes what goes and what stays. */
inline sort_out(v)
{
	p = first[v];
	do
	:: p != 0 ->
		/* belongs(): a guest that keeps the ABI has made no record stale. No cycle. */
		assert(last[p] == v && linked[p] && in_list[p] == v + 1);
		assert(length < 3);
		length++;
		t = next[p];
		next[p] = 0;
		in_list[p] = 0;
		if
		:: p != PER_VCPU ->
			next[go_last] = p;
			go = (go == 0 -> p : go);
			go_last = p
		:: true ->
			next[stay_last] = p;
			stay = (stay == 0 -> p : stay);
			stay_last = p
		fi;
		next[0] = 0;
		p = t
	:: p == 0 -> break
	od
}

/* put_back() up to HEAD. */
inline put_back(v)
{
	p = stay;
	do
	:: p != 0 -> link[p] = next[p]; in_list[p] = v + 1; p = next[p]
	:: p == 0 -> break
	od;
	first[v] = stay;
#ifndef OLD_TAIL
	tail[v] = stay_last
#endif
}

/* claim(): what goes is the list from `go`. */
inline claim(v)
{
	atomic {
#ifndef NO_LOCK
		LOCK(queue_lock[v]);
#endif
		due = ready[v];
#ifndef NO_CLAIM
		ready[v] = 0
#endif
	};
	if
	:: due ->
		atomic { sort_out(v) };
		atomic { put_back(v) };
		if
		:: stay != 0 ->
#ifdef READY_FIRST
			ready[v] = 1;
			head[v] = stay
#else
			head[v] = stay;
			ready[v] = 1
#endif
		:: stay == 0
		fi
	:: else
	fi;
#ifndef NO_LOCK
	queue_lock[v] = 0;
#endif
	if
#ifdef NO_UPCALL_AGAIN
	:: false
#else
	:: due && stay != 0 -> raise_upcall(v)
#endif
	:: else
	fi
}

inline deliver(p)
{
	atomic {
		LOCK(port_lock[p]);
		choose(p, v);
		old = last[p];
		lock_two(v, old);
#ifndef LINK_KEPT
		link[p] = 0;
#endif
		append_begin(v, old, p, t)
	};
	append_end(v, old, p, t, due, 1);
	if
	:: due -> raise_upcall(v)
	:: else
	fi
}

proctype agent(byte handovers)
{
	byte p, v, old, t, go, go_last, stay, stay_last, length;
	bit due;

	do
	:: handovers > 0 ->
		handovers--;
		if
		:: v = 0
		:: v = 1
		fi;
		if
		:: ready[v] ->
			claim(v);
			atomic { due = 0; stay = 0; stay_last = 0; length = 0; go_last = 0; t = 0 };
			do
			:: go != 0 ->
				atomic { p = go; go = next[p]; due = 0 };
				deliver(p)
			:: go == 0 -> break
			od
		:: else
		fi;
		atomic { p = 0; v = 0; old = 0; t = 0; due = 0 }
	:: handovers == 0 -> break
	od;
	done++
}

/*
 * Linux: __xen_evtchn_do_upcall(), __evtchn_fifo_handle_events(), consume_one_event(). Only the guest
 * clears upcall_pending and PENDING, so testing and clearing each of them is one step.
 */
proctype guest(byte v)
{
	byte p, mine;
	bit taken;

end:
	do
	:: atomic { irq[v] -> irq[v] = 0; upcall[v] = 0 };
again:
		atomic { taken = ready[v]; ready[v] = 0 };
		do
		:: taken ->
			if
			:: mine != 0 -> p = mine
			:: mine == 0 -> p = head[v]
			fi;
			/* clear_linked() */
			atomic {
				assert(p != 0 && linked[p] && in_list[p] == v + 1);
				mine = link[p];
				linked[p] = 0;
				link[p] = 0;
				in_list[p] = 0
			};
			atomic {
				assert(!pending[p] || p != PER_VCPU || v == 0);
				pending[p] = 0;
				p = 0
			};
			atomic { taken = (mine != 0) || ready[v]; ready[v] = 0 }
		:: else -> break
		od;
		if
		:: atomic { upcall[v] -> upcall[v] = 0 }; goto again
		:: !upcall[v]
		fi
	od
}

/* When nobody can do anything any more: all is handled, all lists are empty, nobody is stuck. */
proctype quiescence()
{
	timeout;
	assert(done == 3);
	assert(!pending[1] && !pending[2] && !pending[3]);
	assert(!linked[1] && !linked[2] && !linked[3]);
	assert(!in_list[1] && !in_list[2] && !in_list[3]);
	assert(!ready[0] && !ready[1] && !upcall[0] && !upcall[1])
}

init
{
	atomic {
		run sender(RAISES_A, PER_VCPU);
		run sender(RAISES_B, 2);
		run agent(HANDOVERS);
		run guest(0);
		run guest(1);
		run quiescence()
	}
}
