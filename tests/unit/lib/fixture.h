/* SPDX-License-Identifier: MIT */
/*
 * A host for the library's tests: two domains whose guest memory is an array of frames, whose kicks
 * and wakes are recorded, whose guests consume with lib/guest. Used by every test in this folder.
 * world_free() fails the test when a mapped frame was not given back.
 */
#ifndef TESTS_LIB_FIXTURE_H
#define TESTS_LIB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <upcall/evtchn.h>
#include <upcall/guest.h>

#define VCPUS	      4u
#define PIRQS	      8u    /* 0 is not the guest's, odd ones are levels, the others edges */
#define PORTS	      8192u /* more than the 2-level ABI has, so that its own limit shows */
#define FRAME_SHARED  0u
#define FRAME_INFO    1u
#define FRAME_CONTROL 2u /* one for each vCPU */
#define FRAME_EVENTS  8u
#define PAGES_OF_LIFE 32u /* event pages after the first reset lie so much behind */
#define FRAMES	      (FRAME_EVENTS + UC_FIFO_PAGES + 1)
#define FRAME_NONE    FRAMES /* map_frame() fails */
#define ID_A	      1
#define ID_B	      2
#define ID_NONE	      5 /* no such domain */

struct handled {
	uint32_t vcpu, port;
};

struct machine {
	struct uc_domain d; /* first: the host's operations find the machine by it */
	struct uc_vcpu vcpus[VCPUS];
	struct uc_port *ports;
	uint64_t *affinity; /* of machine a only */
	struct uc_pirq pirqs[PIRQS];
	struct world *world;
	uint8_t *frames;
	uint32_t maps[FRAMES];
	struct uc_guest guest;
	uint32_t life; /* resets so far: each has its own control blocks and event array */
	struct uc_guest_vcpu gv[VCPUS];
	uint32_t kicks[VCPUS], wakes[VCPUS], queued[VCPUS];
	uint32_t kicks_at_queued; /* of that vCPU, when the host was last told of one */
	uint32_t astray;	  /* see strict */
	uint64_t unlinked[VCPUS]; /* by a strict guest, of LINKED words */
	/* What the host answers to run_state(). */
	enum uc_run_state state[VCPUS];
	uint64_t since[VCPUS];
	struct handled log[256];
	uint32_t nr_log;
	/* Replaces the guest's handler, which clears PENDING and logs. */
	void (*on_handle)(struct machine *m, uint32_t vcpu, uint32_t port);
};

struct world {
	struct uc_host host;
	struct uc_domain *domains[8];
	struct machine *a, *b;
	void (*on_kick)(struct machine *m, uint32_t vcpu);
	void (*on_wake)(struct machine *m, uint32_t vcpu);
	/* The library waits for a lock. In a test with one thread that is a failure: the default.
	 */
	void (*on_relax)(void);
	/*
	 * FIFO guests consume with consume() instead of lib/guest: as Linux does, and counting in
	 * `astray` the words they come to that are not LINKED, which a sound list does not have.
	 */
	bool strict;
	void (*on_stop)(void); /* before each access of a strict guest; may be NULL */
	void *cookie;
};

/* A device: an end point that counts what the guest sends. */
struct line {
	struct uc_endpoint e; /* first */
	uint32_t notified;
};

int world_new(void **state);
int world_free(void **state);
struct world *world_create(void);
void world_destroy(struct world *w);

void *frame_of(struct machine *m, uint32_t gfn);
struct uc_shared_info *shared_of(struct machine *m);
struct uc_fifo_control_block *control_of(struct machine *m, uint32_t vcpu);
uc_g32 *word_of(struct machine *m, uint32_t port);
uint32_t word(struct machine *m, uint32_t port);

/* The guest's boot: shared_info; then, for FIFO, every control block and `pages` event pages. */
void start_2l(struct machine *m);
void start_fifo(struct machine *m, uint32_t pages);
void start_control(struct machine *m, uint32_t vcpu);
/* EVTCHNOP_reset and its continuations by the typed calls, and the guest forgets what it had. The
 * result of the last. */
int reset_all(struct machine *m);
int add_page(struct machine *m);
/* An IPI on each vCPU, as Linux has: ports 1 to VCPUS, when nothing was opened before. The vCPUs
 * are live from then on. */
void open_ipis(struct machine *m);

uint32_t open_line(struct machine *m, struct line *l, uint32_t vcpu);
void raise_line(struct line *l);
/* Joins a new port of m to a new port of `peer`, takes the initial event; *peer_port may be NULL.
 */
uint32_t open_pair(struct machine *m, struct machine *peer, uint32_t *peer_port);

/* Take upcalls: on one vCPU, on all until nothing is left. Returns the handler calls. */
uint32_t run(struct machine *m, uint32_t vcpu);
uint32_t run_all(struct machine *m);
/* Goes on with the queues of `ready`, whose READY has been taken. Returns the handler calls. */
uint32_t consume(struct machine *m, uint32_t vcpu, uint32_t ready);
/* Ports that the handler got since the last call of this, as "vcpu:port vcpu:port". */
const char *handled(struct machine *m);
uint32_t times_handled(struct machine *m, uint32_t port);

#define OP(m, vcpu, cmd, arg) uc_evtchn_op(&(m)->vcpus[vcpu], cmd, arg)
#define TEST(name)	      cmocka_unit_test_setup_teardown(name, world_new, world_free)

#endif
