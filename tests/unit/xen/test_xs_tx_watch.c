/* SPDX-License-Identifier: MIT */
/* Transactions and watches, from the guest's side and from the VMM's. */
#include "xs_guest.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/xen/store_tx.h"

static int setup(void **state)
{
	struct guest *g = malloc(sizeof(*g));

	guest_start(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	guest_stop(*state);
	free(*state);
	return 0;
}

static void value_is(struct guest *g, const char *path, const char *want)
{
	char value[64];

	assert_int_equal(uc_store_read(&g->st, path, value, sizeof(value)), strlen(want));
	assert_string_equal(value, want);
}

static void a_transaction_is_seen_only_once_committed(void **state)
{
	struct guest *g = *state;
	uint32_t tx = guest_tx(g);

	RAW(g, XS_WRITE, tx, "data/a/b\0v");
	assert_ok(g, XS_WRITE);
	CALL(g, XS_READ, tx, "data/a/b");
	assert_body(g, XS_READ, "v");
	CALL(g, XS_READ, 0, "data/a/b");
	assert_error(g, "ENOENT");
	CALL(g, XS_TRANSACTION_END, tx, "T");
	assert_ok(g, XS_TRANSACTION_END);
	CALL(g, XS_READ, 0, "data/a/b");
	assert_body(g, XS_READ, "v");
	CALL(g, XS_GET_PERMS, 0, "data/a");
	assert_body(g, XS_GET_PERMS, "n1\0");
	CALL(g, XS_READ, tx, "data/a/b");
	assert_error(g, "ENOENT"); /* the transaction is over */
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
	struct guest *g = *state;
	uint32_t tx = guest_tx(g);

	RAW(g, XS_WRITE, tx, "data/a\0v");
	CALL(g, XS_RM, tx, "error");
	CALL(g, XS_TRANSACTION_END, tx, "F");
	assert_ok(g, XS_TRANSACTION_END);
	CALL(g, XS_DIRECTORY, 0, "data");
	assert_body(g, XS_DIRECTORY, "");
	CALL(g, XS_READ, 0, "error");
	assert_body(g, XS_READ, "");
}

static void transaction_requests_are_checked(void **state)
{
	struct guest *g = *state;
	uint32_t tx = guest_tx(g);

	CALL(g, XS_TRANSACTION_START, tx, "");
	assert_error(g, "EBUSY");
	CALL(g, XS_TRANSACTION_START, tx + 1, "");
	assert_error(g, "ENOENT");
	CALL(g, XS_TRANSACTION_END, 0, "T");
	assert_error(g, "ENOENT");
	CALL(g, XS_TRANSACTION_END, tx + 1, "T");
	assert_error(g, "ENOENT");
	CALL(g, XS_TRANSACTION_END, tx, "X");
	assert_error(g, "EINVAL");
	RAW(g, XS_TRANSACTION_END, tx, "T");
	assert_error(g, "EINVAL");
	CALL(g, XS_READ, 77, "name");
	assert_error(g, "ENOENT");
	CALL(g, XS_TRANSACTION_END, tx, "T");
	assert_ok(g, XS_TRANSACTION_END);
}

static void transactions_are_limited(void **state)
{
	struct guest *g = *state;
	uint32_t tx[UC_STORE_TX_MAX];

	for (unsigned i = 0; i < UC_STORE_TX_MAX; i++)
		tx[i] = guest_tx(g);
	CALL(g, XS_TRANSACTION_START, 0, "");
	assert_error(g, "ENOSPC");
	CALL(g, XS_TRANSACTION_END, tx[3], "F");
	assert_ok(g, XS_TRANSACTION_END);
	guest_tx(g);
}

/* Run `change` outside a transaction that has done `inside`; is the commit refused? */
static bool conflicts(struct guest *g, uint32_t type, const char *inside, size_t len,
		      const char *change)
{
	uint32_t tx = guest_tx(g);
	bool refused;

	guest_call(g, type, tx, inside, len);
	assert_int_equal(uc_store_write(&g->st, change, "changed"), 0);
	CALL(g, XS_TRANSACTION_END, tx, "T");
	refused = g->hdr.type == XS_ERROR;
	if (refused)
		assert_error(g, "EAGAIN");
	return refused;
}

#define CONFLICTS(g, type, inside, change) conflicts(g, type, inside, sizeof(inside), change)

static void a_change_of_what_was_used_is_eagain(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/a/b\0v");
	assert_true(CONFLICTS(g, XS_READ, "data/a", HOME "/data/a"));
	assert_true(CONFLICTS(g, XS_WRITE, "data/a\0v", HOME "/data/a"));
	assert_true(CONFLICTS(g, XS_READ, "data/none", HOME "/data/none"));
	assert_true(CONFLICTS(g, XS_DIRECTORY, "data", HOME "/data/new"));
	assert_true(CONFLICTS(g, XS_RM, "data/a", HOME "/data/a/b"));
	assert_true(CONFLICTS(g, XS_MKDIR, "data/new2", HOME "/data/new2"));
	assert_true(CONFLICTS(g, XS_SET_PERMS, "data/a\0r1", HOME "/data/a"));
	CALL(g, XS_READ, 0, "data/a/b");
	assert_body(g, XS_READ, "changed");
}

static void a_change_elsewhere_is_no_conflict(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/a/b\0v");
	assert_false(CONFLICTS(g, XS_READ, "data/a", HOME "/name"));
	assert_false(CONFLICTS(g, XS_WRITE, "data/a/b\0new", HOME "/data/c"));
	assert_false(CONFLICTS(g, XS_READ, "data/a", HOME "/data/a/b"));
	assert_false(CONFLICTS(g, XS_RM, "data/a", HOME "/data/c"));
	CALL(g, XS_READ, 0, "data/c");
	assert_body(g, XS_READ, "changed");
	CALL(g, XS_READ, 0, "data/a/b");
	assert_error(g, "ENOENT");
}

static void a_lost_premise_of_a_creation_is_eagain(void **state)
{
	struct guest *g = *state;
	uint32_t tx;

	CALL(g, XS_MKDIR, 0, "data/dir");
	tx = guest_tx(g);
	RAW(g, XS_WRITE, tx, "data/dir/x/y\0v");
	assert_int_equal(uc_store_rm(&g->st, HOME "/data/dir"), 0);
	CALL(g, XS_TRANSACTION_END, tx, "T");
	assert_error(g, "EAGAIN");
	CALL(g, XS_DIRECTORY, 0, "data");
	assert_body(g, XS_DIRECTORY, "");
}

static void two_transactions_of_one_path_conflict(void **state)
{
	struct guest *g = *state;
	uint32_t first = guest_tx(g), second = guest_tx(g);

	RAW(g, XS_WRITE, first, "data/k\0one");
	RAW(g, XS_WRITE, second, "data/k\0two");
	CALL(g, XS_TRANSACTION_END, second, "T");
	assert_ok(g, XS_TRANSACTION_END);
	CALL(g, XS_TRANSACTION_END, first, "T");
	assert_error(g, "EAGAIN");
	value_is(g, HOME "/data/k", "two");
}

static void removed_and_made_again_in_one_transaction(void **state)
{
	struct guest *g = *state;
	uint32_t tx;

	RAW(g, XS_WRITE, 0, "data/a/old\0v");
	RAW(g, XS_WRITE, 0, "data/a/mid/x\0v");
	tx = guest_tx(g);
	RAW(g, XS_WRITE, tx, "data/a/mid/y\0v");
	CALL(g, XS_RM, tx, "data/a");
	RAW(g, XS_WRITE, tx, "data/a/new\0w");
	CALL(g, XS_SET_PERMS, tx, "data/a\0r1\0b3");
	assert_ok(g, XS_SET_PERMS);
	/* Not a used path: the commit must merge. */
	assert_int_equal(uc_store_write(&g->st, HOME "/error", "e"), 0);
	CALL(g, XS_TRANSACTION_END, tx, "T");
	assert_ok(g, XS_TRANSACTION_END);
	CALL(g, XS_DIRECTORY, 0, "data/a");
	assert_body(g, XS_DIRECTORY, "new\0");
	CALL(g, XS_GET_PERMS, 0, "data/a");
	assert_body(g, XS_GET_PERMS, "r1\0b3\0");
	CALL(g, XS_GET_PERMS, 0, "data/a/new");
	assert_body(g, XS_GET_PERMS, "n1\0");
	value_is(g, HOME "/error", "e");
}

static void quota_holds_across_transactions(void **state)
{
	static const char *const dirs[] = {"data", "attr", "error"};
	struct guest *g = *state;
	uint32_t tx[3];
	char path[64];

	/* Each is within the quota by itself. */
	for (unsigned t = 0; t < 3; t++) {
		tx[t] = guest_tx(g);
		for (unsigned i = 0; i < 400; i++) {
			int n = snprintf(path, sizeof(path), "%s/%u/%u", dirs[t], i / 50, i);

			guest_call(g, XS_MKDIR, tx[t], path, (size_t)n + 1);
			assert_ok(g, XS_MKDIR);
		}
	}
	for (unsigned t = 0; t < 2; t++) {
		CALL(g, XS_TRANSACTION_END, tx[t], "T");
		assert_ok(g, XS_TRANSACTION_END);
	}
	CALL(g, XS_TRANSACTION_END, tx[2], "T");
	assert_error(g, "ENOSPC");
	assert_in_range(g->st.tree.guest_nodes, 800, UC_STORE_NODES_MAX);
	CALL(g, XS_DIRECTORY, 0, "error");
	assert_body(g, XS_DIRECTORY, "");
}

static void a_transaction_touches_a_limited_number_of_paths(void **state)
{
	struct guest *g = *state;
	uint32_t tx = guest_tx(g);
	char path[64];

	for (unsigned i = 0; i < UC_STORE_TX_PATHS_MAX; i++) {
		int n = snprintf(path, sizeof(path), "data/none-%u", i);

		guest_call(g, XS_READ, tx, path, (size_t)n + 1);
		assert_error(g, "ENOENT");
	}
	CALL(g, XS_READ, tx, "data/one-more");
	assert_error(g, "ENOSPC");
	CALL(g, XS_TRANSACTION_END, tx, "T");
	assert_error(g, "ENOMEM");
}

static void a_watch_fires_once_up_front(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_WATCH, 0, "device\0token-1");
	assert_ok(g, XS_WATCH);
	assert_event(g, "device\0token-1");
	assert_quiet(g);
	CALL(g, XS_WATCH, 0, "not/there\0t"); /* need not exist */
	assert_ok(g, XS_WATCH);
	assert_event(g, "not/there\0t");
}

static void a_watch_hears_of_itself_and_below_only(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_WATCH, 0, "data/w\0t");
	assert_event(g, "data/w\0t");
	RAW(g, XS_WRITE, 0, "data/w\0v");
	assert_event(g, "data/w\0t");
	RAW(g, XS_WRITE, 0, "data/w/x/y\0v");
	assert_event(g, "data/w/x/y\0t");
	RAW(g, XS_WRITE, 0, "data/ww\0v");
	RAW(g, XS_WRITE, 0, "data\0v");
	assert_quiet(g);
	CALL(g, XS_SET_PERMS, 0, "data/w/x\0r1");
	assert_event(g, "data/w/x\0t");
	CALL(g, XS_RM, 0, "data/w/x");
	assert_event(g, "data/w/x\0t");
	CALL(g, XS_MKDIR, 0, "data/w/x");
	assert_event(g, "data/w/x\0t");
	CALL(g, XS_MKDIR, 0, "data/w/x"); /* no change */
	CALL(g, XS_RM, 0, "data/w/none");
	assert_quiet(g);
}

static void removal_of_a_parent_fires_with_the_watched_path(void **state)
{
	struct guest *g = *state;

	RAW(g, XS_WRITE, 0, "data/a/b/c\0v");
	CALL(g, XS_WATCH, 0, "data/a/b\0t1");
	assert_event(g, "data/a/b\0t1");
	CALL(g, XS_WATCH, 0, HOME "/data/a/b/none\0t2");
	assert_event(g, HOME "/data/a/b/none\0t2");
	CALL(g, XS_RM, 0, "data/a");
	assert_event(g, "data/a/b\0t1");
	assert_quiet(g);
}

static void absolute_watches_get_absolute_paths(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_WATCH, 0, HOME "/data\0abs");
	assert_event(g, HOME "/data\0abs");
	CALL(g, XS_WATCH, 0, "data\0rel");
	assert_event(g, "data\0rel");
	RAW(g, XS_WRITE, 0, "data/k\0v");
	assert_event(g, HOME "/data/k\0abs");
	assert_event(g, "data/k\0rel");
	assert_quiet(g);
}

static void watch_requests_are_checked(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_WATCH, 0, "data\0t");
	assert_event(g, "data\0t");
	CALL(g, XS_WATCH, 0, "data\0t");
	assert_error(g, "EEXIST");
	CALL(g, XS_WATCH, 0, HOME "/data\0t"); /* the same path */
	assert_error(g, "EEXIST");
	CALL(g, XS_WATCH, 0, "data\0t2");
	assert_ok(g, XS_WATCH);
	assert_event(g, "data\0t2");
	CALL(g, XS_WATCH, 0, "data");
	assert_error(g, "EINVAL");
	CALL(g, XS_WATCH, 0,
	     "data\0t\0"
	     "3");
	assert_error(g, "EINVAL");
	CALL(g, XS_WATCH, 0, "da ta\0t");
	assert_error(g, "EINVAL");
	RAW(g, XS_WATCH, 0, "data\0t");
	assert_error(g, "EINVAL");
	CALL(g, XS_UNWATCH, 0, "data\0other");
	assert_error(g, "ENOENT");
	CALL(g, XS_UNWATCH, 0, "data");
	assert_error(g, "EINVAL");
	CALL(g, XS_UNWATCH, 99, "data\0t"); /* its tx_id is ignored */
	assert_ok(g, XS_UNWATCH);
	RAW(g, XS_WRITE, 0, "data\0v");
	assert_event(g, "data\0t2");
	assert_quiet(g);
}

static void watches_are_limited(void **state)
{
	struct guest *g = *state;
	char request[32];

	for (unsigned i = 0; i <= UC_STORE_WATCHES_MAX; i++) {
		int n = snprintf(request, sizeof(request), "data%c%u", 0, i);

		guest_call(g, XS_WATCH, 0, request, (size_t)n + 1);
		if (i < UC_STORE_WATCHES_MAX) {
			assert_ok(g, XS_WATCH);
			assert_true(guest_take(g));
		}
	}
	assert_error(g, "ENOSPC");
}

static void reset_watches_drops_watches_and_transactions(void **state)
{
	struct guest *g = *state;
	uint32_t tx = guest_tx(g);

	CALL(g, XS_WATCH, 0, "data\0t");
	assert_event(g, "data\0t");
	CALL(g, XS_RESET_WATCHES, 0, "");
	assert_ok(g, XS_RESET_WATCHES);
	RAW(g, XS_WRITE, 0, "data/k\0v");
	assert_ok(g, XS_WRITE);
	assert_quiet(g);
	CALL(g, XS_READ, tx, "name");
	assert_error(g, "ENOENT");
	assert_int_equal(g->ring.conn.client.n_watches, 0);
	assert_int_equal(g->ring.conn.client.n_txs, 0);
}

static void a_transaction_fires_after_commit_in_order(void **state)
{
	struct guest *g = *state;
	uint32_t tx;

	CALL(g, XS_MKDIR, 0, "data/gone/sub");
	CALL(g, XS_WATCH, 0, "data\0t");
	assert_event(g, "data\0t");
	tx = guest_tx(g);
	RAW(g, XS_WRITE, tx, "data/1\0v");
	RAW(g, XS_WRITE, tx, "data/2/deep\0v");
	RAW(g, XS_WRITE, tx, "data/1\0again");
	CALL(g, XS_RM, tx, "data/gone");
	RAW(g, XS_WRITE, tx, "data/brief\0v");
	CALL(g, XS_RM, tx, "data/brief");
	CALL(g, XS_READ, tx, "data/2");
	assert_quiet(g);
	guest_send(g, XS_TRANSACTION_END, tx, "T", 2);
	assert_event(g, "data/1\0t");
	assert_event(g, "data/2/deep\0t");
	assert_event(g, "data/gone\0t");
	assert_true(guest_take(g));
	assert_ok(g, XS_TRANSACTION_END);
	assert_quiet(g);
}

static void a_refused_or_aborted_transaction_fires_nothing(void **state)
{
	struct guest *g = *state;
	uint32_t tx;

	CALL(g, XS_WATCH, 0, "data\0t");
	assert_event(g, "data\0t");
	tx = guest_tx(g);
	RAW(g, XS_WRITE, tx, "data/1\0v");
	CALL(g, XS_TRANSACTION_END, tx, "F");
	assert_quiet(g);
	tx = guest_tx(g);
	RAW(g, XS_WRITE, tx, "data/1\0v");
	RAW(g, XS_WRITE, 0, "data/1\0v");
	assert_event(g, "data/1\0t");
	CALL(g, XS_TRANSACTION_END, tx, "T");
	assert_error(g, "EAGAIN");
	assert_quiet(g);
}

static void what_may_not_be_read_is_not_heard_of(void **state)
{
	struct guest *g = *state;

	CALL(g, XS_WATCH, 0, "/\0root");
	assert_event(g, "/\0root");
	CALL(g, XS_WATCH, 0, "@releaseDomain\0rel");
	assert_event(g, "@releaseDomain\0rel");
	assert_int_equal(uc_store_write(&g->st, "/local/domain/0/secret", "x"), 0);
	assert_int_equal(uc_store_rm(&g->st, "/local/domain/0/secret"), 0);
	uc_store_fire_special(&g->st, "@releaseDomain");
	assert_quiet(g);
	assert_int_equal(uc_store_write(&g->st, HOME "/name", "renamed"), 0);
	assert_event(g, HOME "/name\0root");
	/* A readable node that goes away is heard of, though its parent is not readable. */
	assert_int_equal(uc_store_rm(&g->st, "/vm/" UUID), 0);
	assert_event(g, "/vm/" UUID "\0root");
	assert_quiet(g);
}

static void a_waiting_event_is_not_queued_twice(void **state)
{
	struct guest *g = *state;
	unsigned seen = 0;

	CALL(g, XS_WATCH, 0, "memory/target\0t");
	assert_event(g, "memory/target\0t");
	/* The ring takes about 30 of these; what waits behind it is one. */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(uc_store_writef(&g->st, HOME "/memory/target", "%u", i), 0);
	assert_in_range(g->ring.conn.n_events, 1, 2);
	while (guest_take(g))
		seen++;
	assert_in_range(seen, 20, 40);
	assert_int_equal(g->logged, 0);
}

static void events_for_a_guest_that_does_not_read_are_bounded(void **state)
{
	struct guest *g = *state;
	char path[64];
	unsigned seen = 0;

	CALL(g, XS_WATCH, 0, "memory\0t");
	assert_event(g, "memory\0t");
	for (unsigned i = 0; i < 3 * UC_XS_EVENTS_MAX; i++) {
		snprintf(path, sizeof(path), HOME "/memory/%u", i);
		assert_int_equal(uc_store_write(&g->st, path, ""), 0);
	}
	assert_int_equal(g->ring.conn.n_events, UC_XS_EVENTS_MAX);
	assert_int_equal(g->logged, 1);
	while (guest_take(g))
		seen++;
	assert_in_range(seen, UC_XS_EVENTS_MAX, UC_XS_EVENTS_MAX + 64);
	assert_int_equal(uc_store_write(&g->st, HOME "/memory/target", "1"), 0);
	assert_event(g, "memory/target\0t");
}

struct seen {
	struct uc_store *st;
	unsigned n;
	char paths[8][64];
	unsigned depth;
};

static void record(void *ctx, const char *path)
{
	struct seen *seen = ctx;

	assert_in_range(seen->n, 0, 7);
	snprintf(seen->paths[seen->n++], sizeof(seen->paths[0]), "%s", path);
}

static void the_vmm_watches_the_guest(void **state)
{
	struct guest *g = *state;
	struct seen seen = {0};

	assert_int_equal(uc_store_watch(&g->st, HOME "/data", record, &seen), 0);
	assert_int_equal(seen.n, 1);
	RAW(g, XS_WRITE, 0,
	    "data/state\0"
	    "3");
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.paths[1], HOME "/data/state");
	RAW(g, XS_WRITE, 0, "error/x\0v");
	assert_int_equal(seen.n, 2);
	assert_int_equal(uc_store_unwatch(&g->st, HOME "/data", record, &seen), 0);
	assert_int_equal(uc_store_unwatch(&g->st, HOME "/data", record, &seen), -ENOENT);
	RAW(g, XS_WRITE, 0,
	    "data/state\0"
	    "4");
	assert_int_equal(seen.n, 2);
	value_is(g, HOME "/data/state", "4");
}

static void answer(void *ctx, const char *path)
{
	struct seen *seen = ctx;

	assert_int_equal(seen->depth, 0);
	seen->depth++;
	if (++seen->n < 5)
		assert_int_equal(uc_store_writef(seen->st, path, "%u", seen->n), 0);
	if (seen->n == 5) {
		/* The next event is queued, and must not come after this. */
		assert_int_equal(uc_store_write(seen->st, path, "last"), 0);
		assert_int_equal(uc_store_unwatch(seen->st, HOME "/data", answer, seen), 0);
	}
	seen->depth--;
}

static void a_watch_function_may_use_the_store(void **state)
{
	struct guest *g = *state;
	struct seen seen = {.st = &g->st};

	assert_int_equal(uc_store_watch(&g->st, HOME "/data", answer, &seen), 0);
	assert_int_equal(seen.n, 5);
	value_is(g, HOME "/data", "last");
	CALL(g, XS_READ, 0, "data");
	assert_body(g, XS_READ, "last");
}

static void special_events_reach_the_vmm(void **state)
{
	struct guest *g = *state;
	struct seen seen = {0};

	assert_int_equal(uc_store_watch(&g->st, "@releaseDomain", record, &seen), 0);
	uc_store_fire_special(&g->st, "@introduceDomain");
	assert_int_equal(seen.n, 1);
	uc_store_fire_special(&g->st, "@releaseDomain");
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.paths[1], "@releaseDomain");
}

static void the_vmms_calls_report_errors(void **state)
{
	struct guest *g = *state;
	char small[4], big[UC_STORE_NODE_BYTES_MAX + 1];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(uc_store_read(&g->st, "/none", small, sizeof(small)), -ENOENT);
	assert_int_equal(uc_store_read(&g->st, HOME "/name", small, sizeof(small)), -E2BIG);
	assert_int_equal(uc_store_read(&g->st, HOME "/domid", small, sizeof(small)), 1);
	assert_int_equal(uc_store_write(&g->st, "bad//path", ""), -EINVAL);
	assert_int_equal(uc_store_writef(&g->st, "/x", "%s", big), -E2BIG);
	assert_int_equal(uc_store_rm(&g->st, "/none/none"), -ENOENT);
	assert_int_equal(uc_store_watch(&g->st, "/a b", record, NULL), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_transaction_is_seen_only_once_committed),
		T(an_aborted_transaction_leaves_nothing),
		T(transaction_requests_are_checked),
		T(transactions_are_limited),
		T(a_change_of_what_was_used_is_eagain),
		T(a_change_elsewhere_is_no_conflict),
		T(a_lost_premise_of_a_creation_is_eagain),
		T(two_transactions_of_one_path_conflict),
		T(removed_and_made_again_in_one_transaction),
		T(quota_holds_across_transactions),
		T(a_transaction_touches_a_limited_number_of_paths),
		T(a_watch_fires_once_up_front),
		T(a_watch_hears_of_itself_and_below_only),
		T(removal_of_a_parent_fires_with_the_watched_path),
		T(absolute_watches_get_absolute_paths),
		T(watch_requests_are_checked),
		T(watches_are_limited),
		T(reset_watches_drops_watches_and_transactions),
		T(a_transaction_fires_after_commit_in_order),
		T(a_refused_or_aborted_transaction_fires_nothing),
		T(what_may_not_be_read_is_not_heard_of),
		T(a_waiting_event_is_not_queued_twice),
		T(events_for_a_guest_that_does_not_read_are_bounded),
		T(the_vmm_watches_the_guest),
		T(a_watch_function_may_use_the_store),
		T(special_events_reach_the_vmm),
		T(the_vmms_calls_report_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
