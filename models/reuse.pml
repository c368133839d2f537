/* SPDX-License-Identifier: MIT */
/*
 * Closing a port and giving its number to a new binding (lib/evtchn/port.c), against raises of both
 * lives: two vCPUs with one queue each, a sender that may be late, another one, the guest's hypercalls,
 * and Linux's FIFO consumer on each vCPU. Port 1 was bound to vCPU 1, is closed, and is bound again, to
 * vCPU 0; port 2 stays, and goes to any vCPU at any time. With -DPARKED port 1's word has no page at
 * first, and the guest adds it at any time (fifo_setup.c).
 *
 * Each access to what the guest shares is a step of its own, and each to route words, marks and the
 * number of words, which senders look at without a lock. Locks and private state belong to the steps
 * around them, as in handover.pml. The domain's lock is always free: one thread makes all hypercalls.
 * The guest finds the handler of an event by the port's number, as late as it can.
 *
 * Mutants: see README.md.
 */
#ifndef LATE
#define LATE 1
#endif
#ifndef RAISES
#define RAISES 1
#endif

/* The guest's words and control blocks. */
bit pending[3], linked[3], ready[2], upcall[2], irq[2];
byte link[3], head[2];
/* What a raise of the new life, or of port 2, has for the guest; the handler takes it. */
bit work[3];
/* Ours: queues, the route word's parts, marks, nr_words > 1, uc_port.events of port 1. */
byte tail[2], last[3], events;
bit queue_lock[2], port_lock[3], usable[3], at[3], parked, page;
/* For the assertions: the queue whose list the port is in, plus 1; raises that may count; who is done. */
byte in_list[3], raises_of_1, done;
/* The new binding is known to who sends on it. */
bit opened;

#ifdef PARKED
#define HAS_PAGE page
#else
#define HAS_PAGE 1
#endif

#define LOCK(l) !(l) -> l = 1

inline raise_upcall(v)
{
	atomic {
		irq[v] = irq[v] || !upcall[v];
		upcall[v] = 1
	}
}

/* uc_route_choose(): port 1 is pinned. */
inline choose(p, v)
{
	if
	:: p == 1 -> v = at[1]
	:: p != 1 -> v = 0
	:: p != 1 -> v = 1
	fi
}

inline lock_two(a, b)
{
	if
	:: a == b -> LOCK(queue_lock[a])
	:: a != b -> LOCK(queue_lock[0]); LOCK(queue_lock[1])
	fi
}

inline unlock_all(q, from, p)
{
	queue_lock[q] = 0;
	queue_lock[from] = 0;
	port_lock[p] = port_lock[p] && !moving
}

/* uc_fifo_append() up to the first access to the guest's words; LINKED has been set. */
inline append_begin(q, from, p)
{
	assert(in_list[p] == 0);
	/* Nobody links a port that is free. */
	assert(usable[p]);
#ifndef FOLLOW_OLD
	tail[from] = (tail[from] == p -> 0 : tail[from]);
#endif
	t = tail[q];
	tail[q] = p;
	in_list[p] = q + 1
}

inline append_end(q, from, p)
{
	if
	:: atomic {
			/* fifo_link_tail(), when it succeeds */
			t != 0 -> t = (linked[t] -> t : 0);
			assert(t == 0 || link[t] == 0 && in_list[t] == q + 1);
			link[t] = p;
			link[0] = 0
		}
	:: t == 0
	fi;
	if
	:: atomic { t == 0 -> head[q] = p };
		atomic { due = !ready[q]; ready[q] = 1; last[p] = q; unlock_all(q, from, p) };
		if
		:: atomic { due -> raise_upcall(q) }
		:: !due
		fi
	:: atomic { t != 0 -> last[p] = q; unlock_all(q, from, p) }
	fi
}

#ifdef NO_USABLE
#define MAY_LINK(p) 1
#else
#define MAY_LINK(p) usable[p]
#endif

/* fifo_link_again(): `v`, `was_at` and `was_usable` are the route as read before. */
inline link_again(p)
{
	atomic {
		LOCK(queue_lock[v]);
		settled = (last[p] == v && at[p] == was_at && usable[p] == was_usable);
		fresh = settled && MAY_LINK(p)
	};
	if
	:: atomic {
			fresh -> fresh = !linked[p];
			linked[p] = 1;
			if
			:: fresh -> append_begin(v, v, p)
			:: else -> queue_lock[v] = 0
			fi
		}
	:: atomic { !fresh -> queue_lock[v] = 0 }
	fi;
	if
	:: fresh -> append_end(v, v, p)
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
		moving = 1;
		fresh = !linked[p] && MAY_LINK(p);
		if
		:: fresh -> linked[p] = 1; append_begin(v, old, p)
		:: else -> unlock_all(v, old, p)
		fi
	};
	if
	:: fresh -> append_end(v, old, p)
	:: else
	fi
}

/* fifo_raise(); its port was usable when uc_raise() looked. */
inline raise(p)
{
#ifdef PARKED
	/* fifo_word_or_park() */
	if
	:: p != 1 -> has_word = 1
	:: atomic { p == 1 && page -> has_word = 1 }
	:: atomic { p == 1 && !page -> has_word = 0 };
		parked = 1;
#ifndef NO_LOOK_AGAIN
		if
#ifdef MARK_LEFT
		:: page -> has_word = 1
#else
		:: page -> atomic { has_word = parked; parked = 0 }
#endif
		:: !page
		fi
#endif
	fi;
	if
	:: atomic {
			has_word ->
#else
		atomic {
#endif
			events = (p == 1 && !pending[1] -> events + 1 : events);
			pending[p] = 1
		};
		if
		:: linked[p]
		:: atomic { !linked[p] -> v = last[p]; was_at = at[p]; was_usable = usable[p] };
			if
			:: p != 1 || was_at == v -> link_again(p)
			:: p != 1 || was_at != v
			fi;
			if
			:: settled
			:: else -> link_moving(p)
			fi
		fi
#ifdef PARKED
	:: else
	fi
#endif
	;
	atomic { v = 0; old = 0; t = 0; due = 0; settled = 0; fresh = 0; moving = 0; was_at = 0; was_usable = 0; has_word = 0 }
}

/* What the guest's hypercall raises, and waits for. */
bit todo;

/*
 * `late`: raises port 1 whatever life it has, so is late if it is under way when the port is closed.
 * `serve`: what uc_ports_unpark() raises, as any thread does.
 */
proctype thread(byte raises; bit late; bit serve)
{
	byte p, v, old, t;
	bit due, settled, fresh, moving, was_at, was_usable, has_word;

end:
	do
	:: raises == 0 && !serve -> break
	:: raises > 0 || todo && serve ->
		if
		:: late || serve -> p = usable[1]
		:: !late && !serve && opened -> p = 1; raises_of_1++; work[1] = 1
		:: !late && !serve -> p = 2; work[2] = 1
		fi;
		if
		:: p != 0 -> raise(p)
		:: p == 0
		fi;
		atomic {
			p = 0;
			raises = (serve -> 0 : raises - 1);
			todo = (serve -> 0 : todo)
		}
	od;
	done++
}

/* uc_port_set_route(): both locks, and last_vcpu as it was. */
inline route_begin()
{
	atomic {
		LOCK(port_lock[1]);
#ifndef ROUTE_UNLOCKED
		LOCK(queue_lock[last[1]]);
#endif
		old = last[1]
	}
}

inline route_end(vcpu, use)
{
	atomic {
		at[1] = vcpu;
		usable[1] = use;
#ifdef LAST_FORGOTTEN
		last[1] = 0;
#endif
#ifndef ROUTE_UNLOCKED
		queue_lock[old] = 0;
#endif
		port_lock[1] = 0
	}
}

/* For a port that was not usable. */
inline clear_pending()
{
	if
	:: HAS_PAGE -> pending[1] = 0
#ifdef PARKED
	:: else
#endif
	fi
}

/* The guest's hypercalls. `life`: 0 the former, 1 closed, 2 the new. */
proctype owner()
{
	byte life;
	bit old, due;

	do
	/* close_one(), uc_port_free() */
	:: life == 0 ->
		route_begin();
		route_end(0, 0);
		clear_pending();
		parked = 0;
		life = 1
	/* uc_port_alloc(), uc_port_open() */
#ifdef NO_IS_BUSY
	:: life == 1 ->
#else
	:: life == 1 && !(HAS_PAGE && linked[1]) ->
#endif
		assert(!linked[1] && in_list[1] == 0);
		events = 0;
#ifndef PARKED_LATE
		parked = 0;
#endif
		route_begin();
#if !defined(NO_CLEAR) && !defined(CLEAR_LATE)
		clear_pending();
#endif
		route_end(0, 1);
#ifdef CLEAR_LATE
		opened = 1;
		clear_pending();
#endif
#ifdef PARKED_LATE
		opened = 1;
		parked = 0;
#endif
		opened = 1;
		life = 2
#ifdef PARKED
	/* fifo_add_page() */
	:: !page ->
#ifndef UNPARK_FIRST
		page = 1;
#endif
		/* uc_ports_unpark(), and uc_raise() with its look at the route */
		atomic { due = parked; parked = 0 };
#ifdef UNPARK_FIRST
		page = 1;
#endif
		if
		:: due -> todo = 1; !todo; due = 0
		:: !due
		fi
#endif
	:: life == 2 && HAS_PAGE -> break
	od;
	done++
}

/* Linux: __xen_evtchn_do_upcall(), __evtchn_fifo_handle_events(), consume_one_event(). */
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
			:: atomic { mine != 0 -> p = mine }
			/* An old HEAD is never read again. */
			:: atomic { mine == 0 -> p = head[v]; head[v] = 0 }
			fi;
			/* clear_linked() */
			atomic {
				assert(p != 0 && linked[p] && in_list[p] == v + 1);
				mine = link[p];
				linked[p] = 0;
				link[p] = 0;
				in_list[p] = 0
			};
			if
			:: pending[p] -> pending[p] = 0; work[p] = 0
			:: !pending[p]
			fi;
			atomic { p = 0; taken = (mine != 0) || ready[v]; ready[v] = 0 }
		:: else -> break
		od;
		if
		:: atomic { upcall[v] -> upcall[v] = 0 }; goto again
		:: !upcall[v]
		fi
	od
}

/* When nobody can do anything any more. */
proctype quiescence()
{
	timeout;
	assert(done == 3);
	assert(!work[1] && !work[2] && !pending[1] && !pending[2]);
	assert(!linked[1] && !linked[2] && !in_list[1] && !in_list[2]);
	assert(!ready[0] && !ready[1] && !upcall[0] && !upcall[1] && !parked);
	assert(!queue_lock[0] && !queue_lock[1] && !port_lock[1] && !port_lock[2]);
	/* What is late counts once. */
	assert(events <= raises_of_1 + LATE)
}

init
{
	atomic {
		/* Port 1 was the last in its queue, and has been consumed. */
		usable[1] = 1; at[1] = 1; last[1] = 1; tail[1] = 1;
		usable[2] = 1;
		run thread(LATE, 1, 0);
		run thread(RAISES, 0, 0);
#ifdef PARKED
		run thread(0, 0, 1);
#endif
		run owner();
		run guest(0);
		run guest(1);
		run quiescence()
	}
}
