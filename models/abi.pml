/* SPDX-License-Identifier: MIT */
/*
 * From the 2-level ABI to FIFO (lib/evtchn/fifo_setup.c) and back by EVTCHNOP_reset (reset.c), against
 * raises: two senders, a guest of two vCPUs, two ports that stay open over a reset (ports that it closes:
 * reuse.pml). The guest switches, adds a page and control blocks in any order, stops anywhere, resets,
 * and begins anew ("another life") with other memory, or with the same page again (-DSAME_PAGE). With
 * -DNO_SHARED_INFO it has no 2-level bitmap at all.
 *
 * Each access to what the guest shares, to the domain's ABI, epoch, words and control blocks is a step
 * of its own. A step begins with the lock that is taken for it and ends with that which is dropped after
 * it, and has all private state between, as in handover.pml. The guest handles events and makes its
 * hypercalls in one thread: a kernel that resets has stopped its other CPUs. The domain's lock is
 * therefore always free. The guest clears what a life has left as soon as it is over.
 *
 * Mutants: see README.md.
 */
#ifndef RAISES_A
#define RAISES_A 1
#endif
#ifndef RAISES_B
#define RAISES_B 1
#endif
/* Sender A raises port 1 or this one, sender B port 2 or that. */
#ifndef A_ALSO
#define A_ALSO 1
#endif
#ifndef B_ALSO
#define B_ALSO 2
#endif
/* 0: the guest does not reset. */
#ifndef RESETS
#define RESETS 1
#endif
/* The vCPU that the guest bound port 2 to; port 1 has vCPU 0, and both have it after a reset. */
#ifndef SECOND
#define SECOND 1
#endif

/* The word of a port in a page; a control block of a life. */
#ifdef SAME_PAGE
#define PAGE_OF(life) 1
#else
#define PAGE_OF(life) (life)
#endif
#define W(page, p) (((page) - 1) * 2 + (p))
#define B(life, v) (((life) - 1) * 2 + (v))

/* The guest's memory: words, control blocks, the 2-level bitmap and selectors, upcall_pending. */
bit pending[5], linked[5], ready[4], bitmap[3], selector[2], upcall[2], irq[2];
byte link[5], head[4];
/* What the sender has for the guest; the handler takes it. */
bit work[3];
/* Ours. `control`: the life whose block it is, or 0. `page`: what event_page[0] points at. */
bit fifo, nr_words, queue_lock[2], port_lock[3], parked[3];
byte epoch, page, control[2], tail[2];
/* route.vcpu and route.last_vcpu */
bit at[3], last[3];
/* The guest's: which life, whether the ABI is FIFO, where it is in its queues. */
byte life = 1, mine[2];
bit guest_fifo, guest_at[3];
byte done;

#define LOCK(l) !(l) -> l = 1

inline raise_upcall(v)
{
	atomic {
		irq[v] = irq[v] || !upcall[v];
		upcall[v] = 1
	}
}

/* uc_fifo_word(): a number of words, then a pointer. `word`: the page, or 0. */
inline look_up()
{
	if
	:: atomic { nr_words -> word = 1 }; word = page
	:: atomic { !nr_words -> word = 0 }
	fi
}

/* raise_2l() up to its second look. */
inline raise_2l(p)
{
#ifdef NO_SHARED_INFO
	/* shared_info_or_park() */
	parked[p] = 1;
#ifdef PARKED_UNSEEN
	goto looked;
#endif
#else
	atomic { was = bitmap[p]; bitmap[p] = 1 };
	if
	:: atomic { !was -> v = at[p] };
		atomic { was = selector[v]; selector[v] = 1 };
		if
		:: atomic { !was -> raise_upcall(v) }
		:: was
		fi
	:: was
	fi
#endif
}

inline unlock_all(p)
{
	queue_lock[v] = 0;
	queue_lock[old] = 0;
	port_lock[p] = 0
}

/* fifo_link_moving(), link_at(), uc_fifo_append(). The way with one lock is in reuse.pml. */
inline fifo_link(p)
{
	atomic {
		LOCK(port_lock[p]);
		v = at[p];
		old = last[p];
		if
		:: v == old -> LOCK(queue_lock[v])
		:: v != old -> LOCK(queue_lock[0]); LOCK(queue_lock[1])
		fi;
#ifdef EPOCH_UNSEEN
		may = 1
#else
		may = (epoch == began)
#endif
	};
	if
	:: atomic { may -> may = (control[v] != 0) }
	:: !may
	fi;
	if
	:: atomic {
			/* LINKED is written to a word that the guest has given us. */
			may -> assert(nr_words && word == page);
			may = !linked[W(word, p)];
			linked[W(word, p)] = 1;
			tail[old] = (may && tail[old] == p -> 0 : tail[old]);
			t = (may -> tail[v] : 0);
			tail[v] = (may -> p : tail[v])
		}
	:: !may
	fi;
	if
	:: atomic {
			/* fifo_link_tail(), when it succeeds */
			may && t != 0 -> assert(nr_words);
			may = !linked[W(page, t)];
			assert(may || link[W(page, t)] == 0);
			link[W(page, t)] = (may -> link[W(page, t)] : p);
			last[p] = (may -> last[p] : v)
		}
	:: !(may && t != 0)
	fi;
	if
	:: atomic {
			/* A block that we have, of the life that is. */
			may -> assert(control[v] != 0 && control[v] == life);
			head[B(control[v], v)] = p
		};
		atomic {
			assert(control[v] != 0 && control[v] == life);
			due = !ready[B(control[v], v)];
			ready[B(control[v], v)] = 1;
			last[p] = v;
			unlock_all(p)
		};
		if
		:: atomic { due -> raise_upcall(v) }
		:: !due
		fi
	:: atomic { !may -> unlock_all(p) }
	fi
}

/* uc_raise(); once in a process, for its labels. */
inline raise(p)
{
	due = 0; /* a label cannot come first */
way:
	if
	:: fifo -> goto as_fifo
	:: atomic { !fifo -> was = 0 }
	fi;
	raise_2l(p);
	if
#ifdef NO_SECOND_LOOK
	:: goto looked
#else
	:: !fifo -> goto looked
	:: fifo
#endif
	fi;
	bitmap[p] = 0;
	goto way;
as_fifo:
	began = epoch;
	look_up();
	if
	:: atomic { word == 0 -> parked[p] = 1 };
		look_up();
		if
		:: atomic { word != 0 -> word = (parked[p] -> word : 0); parked[p] = 0 };
			/* The mark may stand for a raise after a reset, too. */
			if
#ifdef MARK_OF_OLD
			:: word != 0
#else
			:: atomic { word != 0 -> word = 0; began = 0 };
				goto way
#endif
			:: word == 0
			fi
		:: word == 0
		fi
	:: word != 0
	fi;
	if
	:: atomic { word != 0 -> pending[W(word, p)] = 1 };
		if
		:: linked[W(word, p)]
		:: atomic { !linked[W(word, p)] -> t = 0 }; fifo_link(p)
		fi
	:: word == 0
	fi;
looked:
	atomic {
		word = 0; t = 0; began = 0; v = 0; old = 0; was = 0; may = 0; due = 0
	}
}

/* What the guest's hypercall raises, and waits for. */
byte todo;

/* A sender; with `serve`, the raises that hypercalls make, which any thread makes in the same way. */
proctype thread(byte raises; byte one; byte other; bit serve)
{
	byte p, word, t, began;
	bit v, old, was, may, due;

end:
	do
	:: raises == 0 && !serve -> break
	:: raises > 0 || todo > 0 && serve ->
		if
		:: serve -> p = todo
		:: !serve -> p = one; work[p] = 1
		:: !serve && other != one -> p = other; work[p] = 1
		fi;
		raise(p);
		atomic {
			p = 0;
			raises = (serve -> 0 : raises - 1);
			todo = (serve -> 0 : todo)
		}
	od;
	done++
}

/* Linux's 2-level consumer: a port counts on its own vCPU only. */
inline handle_2l(v)
{
	atomic { was = selector[v]; selector[v] = 0 };
	if
	:: was ->
		atomic {
			work[1] = work[1] && !(bitmap[1] && v == 0);
			bitmap[1] = bitmap[1] && v != 0
		};
		atomic {
			work[2] = work[2] && !(bitmap[2] && guest_at[2] == v);
			bitmap[2] = bitmap[2] && guest_at[2] != v
		}
	:: else
	fi
}

inline handle_fifo(v)
{
	if
	:: control[v] != 0 ->
		atomic { was = ready[B(life, v)]; ready[B(life, v)] = 0 };
		do
		:: was ->
			if
			:: atomic { mine[v] != 0 -> p = mine[v] }
			/* An old HEAD is never read again. */
			:: atomic { mine[v] == 0 -> p = head[B(life, v)]; head[B(life, v)] = 0 }
			fi;
			atomic {
				assert(p != 0 && linked[W(page, p)] && at[p] == v);
				mine[v] = link[W(page, p)];
				linked[W(page, p)] = 0;
				link[W(page, p)] = 0
			};
			atomic {
				work[p] = work[p] && !pending[W(page, p)];
				pending[W(page, p)] = 0;
				p = 0
			};
			atomic { was = (mine[v] != 0) || ready[B(life, v)]; ready[B(life, v)] = 0 }
		:: else -> break
		od
	:: else
	fi
}

/* park_2l_pending() */
inline park_bits()
{
	p = 1;
	do
	:: p <= 2 ->
		atomic { was = bitmap[p]; bitmap[p] = 0 };
		if
		:: was -> parked[p] = 1
		:: else
		fi;
		p++
	:: else -> break
	od
}

/* forget_queues() */
inline forget_queue(v)
{
	atomic {
#ifndef NO_LOCK
		LOCK(queue_lock[v]);
#endif
		control[v] = 0;
#ifndef TAIL_KEPT
		tail[v] = 0;
#endif
#ifndef NO_LOCK
		queue_lock[v] = 0
#endif
	}
}

inline forget_words()
{
	pending[W(PAGE_OF(life), 1)] = 0; linked[W(PAGE_OF(life), 1)] = 0; link[W(PAGE_OF(life), 1)] = 0;
	pending[W(PAGE_OF(life), 2)] = 0; linked[W(PAGE_OF(life), 2)] = 0; link[W(PAGE_OF(life), 2)] = 0
}

/* Memory of the life that is over is for other things. */
inline forget_life()
{
	atomic {
		mine[0] = 0; mine[1] = 0;
		forget_words();
		ready[B(life, 0)] = 0; head[B(life, 0)] = 0;
		ready[B(life, 1)] = 0; head[B(life, 1)] = 0;
		life++;
		guest_fifo = 0;
		guest_at[2] = 0
	}
}

/* The selectors are older than FIFO, and so are upcalls that the guest has taken as FIFO's. */
inline select_all()
{
	selector[0] = 1;
	raise_upcall(0);
#if SECOND
	selector[1] = 1;
	raise_upcall(1)
#endif
}

#define RELINK 1
#define UNPARK 2
#define KEPT   3

/* renew(): bound to vCPU 0, as the port was opened. */
inline renew(p)
{
	atomic {
		LOCK(port_lock[p]);
		LOCK(queue_lock[last[p]]);
		at[p] = 0;
		queue_lock[last[p]] = 0;
		port_lock[p] = 0
	}
}

/* What a hypercall raises, it raises as any other thread does: relink_pending(), uc_ports_unpark(), renew_kept(). */
inline raise_all()
{
	p = (why != 0 -> 1 : 3);
	do
	:: p <= 2 ->
		if
		:: why == KEPT -> renew(p); was = 1
		:: why == UNPARK -> atomic { was = parked[p]; parked[p] = 0 }
		:: why == RELINK && at[p] == whose -> was = (nr_words && pending[W(page, p)])
		:: why == RELINK && at[p] != whose
		fi;
		if
		:: was -> atomic { todo = p; was = 0 }; todo == 0
		:: !was
		fi;
		p++
	:: else -> break
	od;
	p = 0
}

proctype guest()
{
	byte p, why;
	bit v, was, content, whose;

end:
	do
	:: atomic { irq[0] -> irq[0] = 0; upcall[0] = 0; v = 0 }; goto handle
	:: atomic { irq[1] -> irq[1] = 0; upcall[1] = 0; v = 1 };
handle:
		do
		:: true ->
			if
			:: guest_fifo -> handle_fifo(v)
			:: !guest_fifo -> handle_2l(v)
			fi;
			if
			:: atomic { upcall[v] -> upcall[v] = 0 }
			:: !upcall[v] -> break
			fi
		od;
		atomic { p = 0; v = 0; was = 0 }
	:: !content ->
		if
		/* EVTCHNOP_init_control: vCPU 0 first, vCPU 1 at any time after */
		:: control[0] == 0 || SECOND == 1 && control[1] == 0 && life == 1 ->
			whose = (control[0] == 0 -> 0 : 1);
			control[whose] = life;
			if
			:: !fifo ->
#ifdef PARK_FIRST
				park_bits();
				fifo = 1
#else
				fifo = 1;
				park_bits()
#endif
			:: fifo
			fi;
			guest_fifo = 1;
#ifndef NO_RELINK
			why = RELINK
#endif
		/* EVTCHNOP_expand_array */
		:: fifo && !nr_words ->
			/* Linux's init_array_page(), but for MASKED */
			atomic { forget_words(); page = PAGE_OF(life) };
#ifndef UNPARK_FIRST
			nr_words = 1;
#endif
			why = UNPARK
		/* EVTCHNOP_reset, its last part: leave_fifo() */
		:: fifo && life == 1 && RESETS ->
			epoch++;
			forget_queue(0);
			forget_queue(1);
#ifndef WORDS_KEPT
			nr_words = 0;
#endif
#ifdef RERAISE_FIRST
			todo = 1; todo == 0;
			todo = 2; todo == 0;
#endif
			fifo = 0;
			epoch++;
			forget_life();
#if !defined(NO_RERAISE) && !defined(RERAISE_FIRST)
			why = KEPT
#endif
		/* that is all it does */
		:: content = 1
		fi;
		raise_all();
#ifdef UNPARK_FIRST
		nr_words = nr_words || why == UNPARK;
#endif
#ifndef NO_SELECT
		if
		:: why == KEPT -> select_all()
		:: else
		fi;
#endif
		atomic { whose = 0; why = 0 }
	od
}

/*
 * When nobody can do anything any more: all that was sent has been handled, or waits where the guest's
 * next step is sure to find it.
 */
#ifdef NO_SHARED_INFO
#define WAITS_FOR_BITMAP(p) (!fifo && parked[p])
#else
#define WAITS_FOR_BITMAP(p) 0
#endif
#define WAITS(p) (WAITS_FOR_BITMAP(p) || fifo && (!nr_words && parked[p] || nr_words && control[at[p]] == 0 && pending[W(page, p)]))

proctype quiescence()
{
	timeout;
	assert(done == 2);
	assert(!work[1] || WAITS(1));
	assert(!work[2] || WAITS(2));
	assert(!upcall[0] && !upcall[1] && !queue_lock[0] && !queue_lock[1] && !port_lock[1] && !port_lock[2])
}

init
{
	atomic {
		at[2] = SECOND;
		last[2] = SECOND;
		guest_at[2] = SECOND;
		run thread(RAISES_A, 1, A_ALSO, 0);
		run thread(RAISES_B, 2, B_ALSO, 0);
		run thread(0, 0, 0, 1);
		run guest();
		run quiescence()
	}
}
