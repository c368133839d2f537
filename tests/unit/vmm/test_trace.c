/* SPDX-License-Identifier: MIT */
/*
 * `run --trace`: what threads record is what is read, whatever is overwritten, cut off or damaged.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <xen/xen.h>

#include <xen/event_channel.h>

#include "trace_file.h"

#define RX 10u

/* ---- recording ---- */

static void test_off_records_nothing(void **state)
{
	(void)state;
	unlink(trace_path);
	assert_false(uc_trace_is_on());
	uc_trace(UC_TRACE_ENTER, 1, 2, 3);
	assert_int_not_equal(access(trace_path, F_OK), 0);
}

static void test_a_record_is_read_as_it_was_written(void **state)
{
	struct uc_trace_log log;

	(void)state;
	trace_begin(2, 8);
	uc_trace_put(UC_TRACE_TAP_READ, 3, RX, 0xdeadbeef, UINT64_MAX);
	log = trace_end();
	assert_int_equal(log.nr_records, 1);
	assert_int_equal(log.records[0].kind, UC_TRACE_TAP_READ);
	assert_int_equal(log.records[0].vcpu, 3);
	assert_int_equal(log.records[0].port, RX);
	assert_int_equal(log.records[0].tag, 0xdeadbeef);
	assert_true(log.records[0].arg == UINT64_MAX);
	assert_true(log.records[0].time_ns < 60ull * 1000000000);
	assert_string_equal(log.header.machine, "m");
	assert_int_equal(log.overwritten + log.unfinished + log.cut, 0);
	uc_trace_free(&log);
}

static void test_each_kind_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < UC_TRACE_KINDS; i++) {
		assert_int_not_equal(uc_trace_kind_name((enum uc_trace_kind)i)[0], 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(uc_trace_kind_name((enum uc_trace_kind)i),
						uc_trace_kind_name((enum uc_trace_kind)j));
	}
}

static void test_a_trace_without_records_leaves_no_file(void **state)
{
	(void)state;
	trace_begin(1, 8);
	assert_int_equal(access(trace_path, F_OK), 0);
	uc_trace_close();
	assert_int_not_equal(access(trace_path, F_OK), 0);
}

#define THREADS	   6
#define PER_THREAD 20000u

static void *record_many(void *arg)
{
	uint32_t id = (uint32_t)(uintptr_t)arg;

	for (uint32_t i = 0; i < PER_THREAD; i++)
		uc_trace_put(UC_TRACE_SEND, id % 4, id, i, (uint64_t)id << 32 | i);
	return NULL;
}

static void record_from_threads(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, record_many, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Each thread's records are all there once, whole, in their order. */
static void check_threads(const struct uc_trace_log *log)
{
	uint32_t next[THREADS] = {0};

	for (size_t i = 0; i < log->nr_records; i++) {
		const struct uc_trace_seen *r = &log->records[i];

		assert_true(r->port < THREADS);
		assert_int_equal(r->tag, next[r->port]++);
		assert_true(r->arg == ((uint64_t)r->port << 32 | r->tag));
		assert_int_equal(r->vcpu, r->port % 4);
		assert_true(!i || r->time_ns >= r[-1].time_ns);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], PER_THREAD);
}

static void test_threads_with_lanes_of_their_own_lose_nothing(void **state)
{
	struct uc_trace_log log;

	(void)state;
	trace_begin(THREADS, 32768);
	record_from_threads();
	log = trace_end();
	assert_int_equal(log.nr_records, THREADS * PER_THREAD);
	assert_int_equal(log.overwritten + log.unfinished, 0);
	check_threads(&log);
	uc_trace_free(&log);
}

static void test_threads_that_share_lanes_lose_nothing(void **state)
{
	struct uc_trace_log log;

	(void)state;
	trace_begin(2, 65536);
	record_from_threads();
	log = trace_end();
	assert_int_equal(log.nr_records, THREADS * PER_THREAD);
	check_threads(&log);
	uc_trace_free(&log);
}

static void test_a_full_lane_keeps_the_newest(void **state)
{
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 64);
	for (uint32_t i = 0; i < 64 * 3 + 5; i++)
		uc_trace_put(UC_TRACE_LOOK, 0, i, 0, 0);
	log = trace_end();
	assert_int_equal(log.nr_records, 64);
	assert_int_equal(log.overwritten, 64 * 2 + 5);
	assert_int_equal(log.cut, 0);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(log.records[i].port, 64 * 2 + 5 + i);
	uc_trace_free(&log);
}

/* A story with holes is none: what is older than the oldest of a lane that wrapped is left out. */
static void test_what_a_full_lane_lost_is_cut_from_the_others(void **state)
{
	struct uc_trace_log log;
	pthread_t thread;

	(void)state;
	trace_begin(3, 64);
	assert_int_equal(pthread_create(&thread, NULL, trace_record_one, NULL), 0);
	pthread_join(thread, NULL);
	for (uint32_t i = 0; i < 65; i++)
		uc_trace_put(UC_TRACE_LOOK, 0, i, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, trace_record_one, NULL), 0);
	pthread_join(thread, NULL);
	log = trace_end();
	assert_int_equal(log.overwritten, 1);
	assert_int_equal(log.cut, 1);
	assert_int_equal(log.nr_records, 65);
	assert_int_equal(log.records[64].kind, UC_TRACE_SEND);
	uc_trace_free(&log);
}

static void test_what_was_recorded_survives_sigkill(void **state)
{
	struct uc_diag diag = {0};
	struct uc_trace_log log;
	int status;
	pid_t pid;

	(void)state;
	unlink(trace_path);
	pid = fork();
	if (!pid) {
		trace_begin(1, 64);
		for (uint32_t i = 0; i < 10; i++)
			uc_trace_put(UC_TRACE_LOOK, 0, i, 0, 0);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(uc_trace_read(&log, trace_path, &diag), 0);
	assert_int_equal(log.nr_records, 10);
	uc_trace_free(&log);
}

static void test_an_old_file_is_replaced_not_written_to(void **state)
{
	struct stat old, new;
	char kept[sizeof(trace_path) + 8];

	(void)state;
	trace_begin(1, 64);
	uc_trace(UC_TRACE_LOOK, 0, 0, 0);
	assert_int_equal(stat(trace_path, &old), 0);
	uc_trace_close();
	snprintf(kept, sizeof(kept), "%s-kept", trace_path);
	assert_int_equal(link(trace_path, kept), 0);
	trace_begin(1, 64);
	uc_trace(UC_TRACE_LOOK, 0, 0, 0);
	uc_trace_close();
	assert_int_equal(stat(trace_path, &new), 0);
	assert_int_equal(unlink(kept), 0);
	assert_true(old.st_ino != new.st_ino);
}

static void test_no_device_is_replaced(void **state)
{
	struct uc_trace_config config = {.path = "/dev/null",
					 .machine = "m",
					 .nr_vcpus = 1,
					 .nr_lanes = 1,
					 .file_bytes = 4096};
	struct uc_diag diag = {0};

	(void)state;
	assert_int_equal(uc_trace_open(&config, &diag), -EEXIST);
	assert_non_null(strstr(diag.text, "--trace /dev/null"));
	assert_false(uc_trace_is_on());
}

static void test_guests_ops_are_recorded(void **state)
{
	struct evtchn_send send = {.port = 7};
	struct evtchn_unmask unmask = {.port = 8};
	struct evtchn_close close_port = {.port = 9};
	struct uc_trace_log log;

	(void)state;
	trace_begin(1, 8);
	uc_trace_op(1, EVTCHNOP_send, &send);
	uc_trace_op(2, EVTCHNOP_unmask, &unmask);
	uc_trace_op(3, EVTCHNOP_close, &close_port);
	log = trace_end();
	assert_int_equal(log.nr_records, 2);
	assert_int_equal(log.records[0].kind, UC_TRACE_SEND);
	assert_int_equal(log.records[0].port, 7);
	assert_int_equal(log.records[1].kind, UC_TRACE_UNMASK);
	assert_int_equal(log.records[1].port, 8);
	uc_trace_free(&log);
}

/* ---- bad files ---- */

struct copy {
	uint8_t *bytes;
	size_t size;
};

static struct copy make_copy(void)
{
	struct copy c = {0};
	struct stat st;
	int fd;

	trace_begin(2, 16);
	for (uint32_t i = 0; i < 10; i++)
		uc_trace_put(UC_TRACE_LOOK, 0, i, 0, 0);
	uc_trace_close();
	fd = open(trace_path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	c.size = (size_t)st.st_size;
	c.bytes = malloc(c.size);
	assert_int_equal(read(fd, c.bytes, c.size), st.st_size);
	close(fd);
	return c;
}

static int read_bytes(const uint8_t *bytes, size_t size, struct uc_trace_log *log,
		      struct uc_diag *diag)
{
	int fd = open(trace_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	*diag = (struct uc_diag){0};
	return uc_trace_read(log, trace_path, diag);
}

static void assert_refused(const uint8_t *bytes, size_t size, const char *why)
{
	struct uc_trace_log log;
	struct uc_diag diag;

	assert_int_equal(read_bytes(bytes, size, &log, &diag), -EINVAL);
	assert_int_equal(diag.status, UC_EXIT_USAGE);
	if (!strstr(diag.text, why) || strchr(diag.text, '\n'))
		fail_msg("%s: %s", why, diag.text);
}

static void test_a_file_cut_at_any_length_is_refused(void **state)
{
	struct copy c = make_copy();
	struct uc_trace_log log;
	struct uc_diag diag;

	(void)state;
	for (size_t size = 0; size < c.size; size++)
		assert_refused(c.bytes, size, size < 8 ? "no trace" : "cut short");
	assert_int_equal(read_bytes(c.bytes, c.size, &log, &diag), 0);
	assert_int_equal(log.nr_records, 10);
	uc_trace_free(&log);
	free(c.bytes);
}

static void assert_refused_with(struct copy *c, uint32_t *field, uint32_t value, const char *why)
{
	uint32_t was = *field;

	*field = value;
	assert_refused(c->bytes, c->size, why);
	*field = was;
}

static void test_foreign_and_damaged_heads_are_refused(void **state)
{
	struct copy c = make_copy();
	struct uc_trace_header *h = (struct uc_trace_header *)c.bytes;

	(void)state;
	assert_refused((const uint8_t *)"\x7f"
					"ELF and so on",
		       14, "no trace");
	assert_refused_with(&c, &h->byte_order, 0x04030201, "byte order");
	assert_refused_with(&c, &h->version, UC_TRACE_VERSION + 1, "another version");
	assert_refused_with(&c, &h->nr_kinds, UC_TRACE_KINDS + 1, "another version");
	assert_refused_with(&c, &h->record_bytes, 16, "damaged");
	assert_refused_with(&c, &h->nr_lanes, 0, "damaged");
	assert_refused_with(&c, &h->nr_lanes, UINT32_MAX, "damaged");
	assert_refused_with(&c, &h->nr_lanes, 3, "cut short");
	assert_refused_with(&c, &h->lane_records, 0, "damaged");
	assert_refused_with(&c, &h->lane_records, 17, "damaged");
	assert_refused_with(&c, &h->lane_records, 1u << 31, "damaged");
	assert_refused_with(&c, &h->lane_records, 8, "damaged");
	assert_refused_with(&c, &h->nr_vcpus, 0, "damaged");
	h->kinds[3][0] ^= 1;
	assert_refused(c.bytes, c.size, "another version");
	free(c.bytes);
}

static void test_no_file_is_one_clear_error(void **state)
{
	struct uc_trace_log log;
	struct uc_diag diag = {0};

	(void)state;
	assert_int_equal(uc_trace_read(&log, "/no/such/file", &diag), -ENOENT);
	assert_string_equal(diag.text, "/no/such/file: No such file or directory");
	diag = (struct uc_diag){0};
	assert_int_equal(uc_trace_read(&log, "/dev/zero", &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "no trace"));
}

static void test_records_that_make_no_sense_are_counted_not_used(void **state)
{
	struct copy c = make_copy();
	const struct uc_trace_header *h = (const void *)c.bytes;
	struct uc_trace_record *r = (void *)(c.bytes + uc_trace_offset(h, 0));
	struct uc_trace_log log;
	struct uc_diag diag;

	(void)state;
	r[0].seq = 0; /* a writer was killed here */
	r[1].kind = UC_TRACE_KINDS;
	r[2].vcpu = 4;
	r[3].time_ns = 0;
	r[4].seq += h->lane_records; /* another round's */
	assert_int_equal(read_bytes(c.bytes, c.size, &log, &diag), 0);
	assert_int_equal(log.unfinished, 5);
	assert_int_equal(log.nr_records, 5);
	assert_int_equal(log.records[0].port, 5);
	uc_trace_free(&log);
	free(c.bytes);
}

static void test_any_bytes_are_read_without_harm(void **state)
{
	struct copy c = make_copy();
	struct uc_trace_requests requests;
	struct uc_trace_log log;
	struct uc_diag diag;

	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		for (size_t i = UC_TRACE_HEADER_BYTES; i < c.size; i++)
			c.bytes[i] = (uint8_t)rand();
		assert_int_equal(read_bytes(c.bytes, c.size, &log, &diag), 0);
		assert_int_equal(uc_trace_match(&requests, &log, 0), 0);
		uc_trace_requests_free(&requests);
		uc_trace_free(&log);
	}
	free(c.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_records_nothing),
		cmocka_unit_test(test_a_record_is_read_as_it_was_written),
		cmocka_unit_test(test_each_kind_has_a_name_of_its_own),
		cmocka_unit_test(test_a_trace_without_records_leaves_no_file),
		cmocka_unit_test(test_threads_with_lanes_of_their_own_lose_nothing),
		cmocka_unit_test(test_threads_that_share_lanes_lose_nothing),
		cmocka_unit_test(test_a_full_lane_keeps_the_newest),
		cmocka_unit_test(test_what_a_full_lane_lost_is_cut_from_the_others),
		cmocka_unit_test(test_what_was_recorded_survives_sigkill),
		cmocka_unit_test(test_an_old_file_is_replaced_not_written_to),
		cmocka_unit_test(test_no_device_is_replaced),
		cmocka_unit_test(test_guests_ops_are_recorded),
		cmocka_unit_test(test_a_file_cut_at_any_length_is_refused),
		cmocka_unit_test(test_foreign_and_damaged_heads_are_refused),
		cmocka_unit_test(test_no_file_is_one_clear_error),
		cmocka_unit_test(test_records_that_make_no_sense_are_counted_not_used),
		cmocka_unit_test(test_any_bytes_are_read_without_harm),
	};

	return cmocka_run_group_tests(tests, trace_setup, trace_teardown);
}
