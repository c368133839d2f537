/* SPDX-License-Identifier: MIT */
/*
 * How many guest words one call may touch, whatever the guest does: a call that could be kept busy
 * by its guest would go over. Counted by the explorer and by the fuzz targets, so a hang is a
 * failed count.
 */
#ifndef TESTS_EXPLORE_BOUNDS_H
#define TESTS_EXPLORE_BOUNDS_H

/* LINK_TRIES compare-and-swaps, two reads, BUSY set and cleared, an addition and its undoing. */
#define LINK_WORDS 11u
/* LINKED, the tail, HEAD, READY, the upcall. */
#define QUEUE_WORDS (LINK_WORDS + 4)
/* PENDING, and a look. */
#define FIFO_RAISE_WORDS (QUEUE_WORDS + 2)
/* The bit, the mask, the selector, the upcall; and the bit again when the ABI has changed. */
#define RAISE_WORDS  (FIFO_RAISE_WORDS + 5)
#define UNMASK_WORDS (FIFO_RAISE_WORDS)
/*
 * What changes channels may look at each port: is it busy, is it pending, a raise of it, or taking
 * it out of one queue and into another; and at each queue: the claim and the upcall.
 */
#define PORT_WORDS	     (RAISE_WORDS + 8)
#define CONTROL_WORDS(ports) (64u + (ports)*PORT_WORDS)
#define POLL_WORDS(ports)    (ports)

#endif
