/* SPDX-License-Identifier: MIT */
/*
 * Masking, unmasking and polling against the raise of lib/evtchn/fifo.c, with a link that can fail: one
 * vCPU with one queue, two senders, Linux's FIFO consumer, and another thread of the guest that masks
 * and unmasks. Port 1 is "lateeoi": masked while it is handled, unmasked by the other thread. Port 2 is
 * an edge, masked now and then. Port 3, with -DPOLLER, is always masked, and waited for in SCHEDOP_poll.
 *
 * A word is one byte, and each access to one is a step: fifo_link_tail() has its read, its bounded
 * compare-and-swaps, its BUSY bit and its addition. So is each access to HEAD, READY, upcall_pending and
 * what the poller publishes. The queue's lock belongs to the steps around it, as in handover.pml. A
 * loop of the guest that repeats a compare-and-swap until it succeeds is the step that succeeds.
 *
 * Mutants: see README.md.
 */
#ifndef RAISES_A
#define RAISES_A 1
#endif
#ifndef RAISES_B
#define RAISES_B 1
#endif
/* How often the guest masks port 2. */
#ifndef MASKS
#define MASKS 1
#endif
/* LINK_TRIES is 5; fewer need fewer disturbers to run out. */
#ifndef TRIES
#define TRIES 2
#endif

#define PENDING	  1
#define MASKED	  2
#define LINKED	  4
#define BUSY	  8
#define LINK(p)	  ((p) << 4)
#define LINK_MASK LINK(3)

#ifdef POLLER
#define OTHER 3
#else
#define OTHER 2
#endif

/* The guest's memory. */
byte word[4], head;
bit ready, upcall, irq;
/* What the sender has for the guest; the handler takes it. */
bit work[4];
/* Ours. */
byte tail;
bit queue_lock;
/* uc_domain.pollers, uc_vcpu.poll_port, and the host's wake. */
bit pollers, woken;
byte poll_port;
/* The guest's: port 1 has been handled and is to be unmasked; port 2 is. */
bit eoi, masked_by_us;
/* Is the port in the list? For the assertions. */
bit in_list[4];
byte done;

#define LOCK(l) !(l) -> l = 1

inline raise_upcall()
{
	atomic {
		irq = irq || !upcall;
		upcall = 1
	}
}

/* fifo_link_tail(): is `p` behind `t` now? */
inline link_tail(p, t)
{
	atomic { w = word[t]; linked = 0 };
	do
	:: try < TRIES && !(w & LINKED) -> break
	:: try < TRIES && (w & LINKED) ->
		if
#ifdef LINK_BY_STORE
		:: atomic { word[t] = (w & ~(BUSY | LINK_MASK)) | LINK(p); linked = 1; break }
#else
		:: atomic { word[t] == w -> word[t] = (w & ~(BUSY | LINK_MASK)) | LINK(p); linked = 1; break }
		:: atomic { word[t] != w -> w = word[t] }
#endif
		fi;
		if
		:: atomic { try == 0 -> word[t] = word[t] | BUSY };
			w = word[t]
		:: try != 0
		fi;
		try++
	:: try == TRIES -> break
	od;
	if
	:: linked
	:: atomic {
			/* fifo_link_by_adding() */
			!linked && try == TRIES -> assert((word[t] & LINK_MASK) == 0);
			linked = (word[t] & LINKED) != 0;
			word[t] = word[t] + LINK(p)
		};
		if
		:: linked
#ifdef ADDED_STAYS
		:: !linked
#else
		:: atomic { !linked -> word[t] = word[t] & ~LINK_MASK }
#endif
		fi;
		word[t] = word[t] & ~BUSY
#ifdef BUSY_STAYS
	:: !linked && try < TRIES
#else
	:: atomic { !linked && try < TRIES && try > 0 -> word[t] = word[t] & ~BUSY }
	:: !linked && try == 0
#endif
	fi
}

/* fifo_link(), link_at(), uc_fifo_append() */
inline fifo_link(p)
{
	atomic {
		LOCK(queue_lock);
		fresh = !(word[p] & LINKED);
		if
		:: fresh ->
			assert(!in_list[p]);
			word[p] = word[p] | LINKED;
			in_list[p] = 1;
			t = (tail == p -> 0 : tail);
			tail = p
		:: else -> queue_lock = 0
		fi
	};
	if
	:: fresh ->
		if
		:: t != 0 -> link_tail(p, t)
		:: t == 0
		fi;
		if
		:: atomic { linked -> queue_lock = 0 }
#ifdef READY_FIRST
		:: atomic { !linked -> due = !ready; ready = 1 };
			atomic { head = p; queue_lock = 0 };
#else
		:: atomic { !linked -> head = p };
			atomic { due = !ready; ready = 1; queue_lock = 0 };
#endif
			if
			:: atomic { due -> raise_upcall() }
			:: !due
			fi
		fi
	:: else
	fi;
	atomic { w = 0; t = 0; try = 0; linked = 0; due = 0; fresh = 0 }
}

/* uc_check_pollers(), uc_pollers_wake() */
inline check_pollers(p)
{
	if
	:: pollers ->
		if
		:: poll_port == p ->
			atomic { woken = woken || poll_port != 0; poll_port = 0 }
		:: poll_port != p
		fi
	:: !pollers
	fi
}

/* The hypercall that the guest's other thread waits for. */
byte todo;

/* A sender; with `serve`, EVTCHNOP_unmask: fifo_raise() and fifo_unmask() differ in how they begin. */
proctype thread(byte raises; byte other; bit serve)
{
	byte p, w, t, try;
	bit was, fresh, linked, due;

end:
	do
	:: raises == 0 && !serve -> break
	:: todo > 0 && serve ->
		p = todo;
#ifdef UNMASK_LOOKS_FIRST
		w = word[p];
		word[p] = word[p] & ~MASKED;
#else
		word[p] = word[p] & ~MASKED;
		w = word[p];
#endif
#ifdef NO_RELINK
		was = 1;
		goto served
#else
		was = 1;
		if
		:: w & PENDING -> w = w & ~MASKED; goto look
		:: else -> goto served
		fi
#endif
	:: raises > 0 ->
		raises--;
		if
		:: p = 1
		:: p = other
		fi;
		work[p] = 1;
#ifdef RAISE_LOOKS_FIRST
		w = word[p];
#endif
#ifdef POLLERS_FIRST
		check_pollers(p);
#endif
		atomic { was = word[p] & PENDING; word[p] = word[p] | PENDING };
#ifndef RAISE_LOOKS_FIRST
		w = word[p];
#endif
look:
		if
		:: !(w & (LINKED | MASKED)) -> fifo_link(p)
		:: else
		fi;
#ifndef POLLERS_FIRST
		if
		:: !was -> check_pollers(p)
		:: else
		fi;
#endif
served:
		atomic {
			p = 0; w = 0; was = 0;
			todo = (serve -> 0 : todo)
		}
	od;
	done++
}

/* Linux's FIFO consumer. Two reads of the word, one for PENDING, one for MASKED. */
proctype consumer()
{
	byte p, mine;
	bit taken, due;

end:
	do
	:: atomic { irq -> irq = 0; upcall = 0 };
again:
		atomic { taken = ready; ready = 0 };
		do
		:: taken ->
			if
			:: atomic { mine != 0 -> p = mine }
			/* An old HEAD is never read again. */
			:: atomic { mine == 0 -> p = head; head = 0 }
			fi;
#ifdef CONSUMER_LOOKS_FIRST
			due = word[p] & PENDING;
#endif
			/* clear_linked() */
			atomic {
				assert(p != 0 && (word[p] & LINKED) && in_list[p]);
				mine = (word[p] & LINK_MASK) >> 4;
				word[p] = word[p] & ~(LINKED | LINK_MASK);
				in_list[p] = 0
			};
#ifndef CONSUMER_LOOKS_FIRST
			due = word[p] & PENDING;
#endif
			if
			:: due -> due = !(word[p] & MASKED)
			:: !due
			fi;
			if
			:: due ->
				if
				:: atomic { p == 1 -> word[p] = word[p] | MASKED }
				:: p != 1
				fi;
				word[p] = word[p] & ~PENDING;
				atomic { work[p] = 0; eoi = eoi || p == 1 }
			:: !due
			fi;
			atomic { p = 0; due = 0; taken = (mine != 0) || ready; ready = 0 }
		:: else -> break
		od;
		if
		:: atomic { upcall -> upcall = 0 }; goto again
		:: !upcall
		fi
	od
}

/* The guest's other thread: end of interrupt of port 1, and masking of port 2. */
proctype worker(byte masks)
{
	byte p;
	bit due;

end:
	do
	:: atomic { eoi -> eoi = 0; p = 1 }; goto unmask
	:: masks > 0 -> masks--; word[2] = word[2] | MASKED; masked_by_us = 1
	:: atomic { masked_by_us -> masked_by_us = 0; p = 2 };
unmask:
		if
		/* Linux: clear_masked(), which waits for BUSY to go; only then, if need be, EVTCHNOP_unmask */
		:: atomic { !(word[p] & BUSY) -> word[p] = word[p] & ~MASKED };
			due = word[p] & PENDING
		/* or the operation at once, which does not wait */
		:: due = 1
		fi;
		if
		:: due -> todo = p; todo == 0
		:: !due
		fi;
		atomic { p = 0; due = 0 }
	od
}

#ifdef POLLER
/*
 * As Linux waits for a spin lock: forget the port, look whether there is work, sleep in SCHEDOP_poll.
 * uc_poll_begin() and uc_poll_end().
 */
proctype poller()
{
	bit due;

end:
	do
	:: true ->
		word[3] = word[3] & ~PENDING;
		if
		:: work[3] -> work[3] = 0
		:: !work[3] ->
			woken = 0;
#ifdef POLLER_LOOKS_FIRST
			due = word[3] & PENDING;
			pollers = 1;
			poll_port = 3;
#else
			pollers = 1;
			poll_port = 3;
			due = word[3] & PENDING;
#endif
			if
			:: due
			:: !due ->
end_asleep:
				woken
			fi;
			poll_port = 0;
			atomic { pollers = 0; due = 0 }
		fi
	od
}
#endif

/* When nobody can do anything any more. */
proctype quiescence()
{
	timeout;
	assert(done == 2);
	assert(!work[1] && !work[2] && !work[3]);
	assert(!in_list[1] && !in_list[2] && !in_list[3] && !ready && !upcall && !queue_lock);
	/* Nobody is stuck: all is unmasked but port 3, nothing is BUSY, LINKED or PENDING. */
	assert(word[1] == 0 && word[2] == 0 && !eoi && !masked_by_us)
}

init
{
	atomic {
		word[3] = MASKED;
		run thread(RAISES_A, 2, 0);
		run thread(RAISES_B, OTHER, 0);
		run thread(0, 0, 1);
		run consumer();
		run worker(MASKS);
#ifdef POLLER
		run poller();
#endif
		run quiescence()
	}
}
