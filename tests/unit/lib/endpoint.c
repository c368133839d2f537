/* SPDX-License-Identifier: MIT */
/* Host end points: joining, notifying, closing from either side. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <xen/errno.h>

static int bind_line(struct machine *m, struct line *l, uint32_t port)
{
	return uc_endpoint_bind(&l->e, &m->d, port);
}

/* A line that has notify() but no port. */
static struct line new_line(struct machine *m)
{
	struct line l;

	open_line(m, &l, 0);
	assert_int_equal(uc_close(&m->d, l.e.port), 0);
	uc_endpoint_close(&l.e);
	l.notified = 0;
	return l;
}

static void a_send_notifies_the_end_point(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(l.notified, 2);
}

static void bind_takes_an_unbound_port_for_the_host_and_notifies(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l = new_line(a);
	uint32_t port;

	assert_int_equal(uc_alloc_unbound(&a->d, UC_DOMID_HOST, &port), 0);
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(bind_line(a, &l, port), 0);
	assert_int_equal(l.notified, 1);
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(l.notified, 2);
}

static void bind_refuses_other_ports(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l = new_line(a), other;
	uint32_t for_b, ipi, taken = open_line(a, &other, 0);

	assert_int_equal(uc_alloc_unbound(&a->d, ID_B, &for_b), 0);
	assert_int_equal(uc_bind_ipi(&a->d, 0, &ipi), 0);
	assert_int_equal(bind_line(a, &l, for_b), -XEN_EINVAL);
	assert_int_equal(bind_line(a, &l, ipi), -XEN_EINVAL);
	assert_int_equal(bind_line(a, &l, taken), -XEN_EINVAL);
	assert_int_equal(bind_line(a, &l, 0), -XEN_EINVAL);
	assert_int_equal(bind_line(a, &l, 1000), -XEN_EINVAL);
	assert_int_equal(l.notified, 0);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
}

static void open_fails_when_no_port_is_free(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l = new_line(a);
	uint32_t port;

	while (uc_alloc_unbound(&a->d, ID_B, &port) == 0)
		;
	assert_int_equal(uc_endpoint_open(&l.e, &a->d), -XEN_ENOSPC);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	uc_endpoint_close(&l.e);
}

static void after_the_guest_closed_a_raise_says_so(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l, next;
	uint32_t port;

	start_2l(a);
	port = open_line(a, &l, 0);
	assert_int_equal(uc_close(&a->d, port), 0);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	/* Nor does it reach the port's next owner, nor take it down. */
	assert_int_equal(open_line(a, &next, 0), port);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	uc_endpoint_close(&l.e);
	assert_int_equal(run_all(a), 0);
	raise_line(&next);
	assert_int_equal(run_all(a), 1);
}

static void closing_the_end_point_leaves_the_port_unbound(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct uc_port_info info;
	struct line l;
	uint32_t port = open_line(a, &l, 0);

	uc_endpoint_close(&l.e);
	assert_int_equal(uc_port_info(&a->d, port, &info), 0);
	assert_int_equal(info.kind, UC_PORT_UNBOUND);
	assert_int_equal(info.remote_domid, UC_DOMID_HOST);
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(l.notified, 0);
	assert_int_equal(uc_endpoint_raise(&l.e), -XEN_ENOTCONN);
	uc_endpoint_close(&l.e);
	assert_int_equal(bind_line(a, &l, port), 0);
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(l.notified, 2);
}

struct slow {
	struct uc_endpoint e; /* first */
	uint32_t inside, released, left, closed_early;
};

static void notify_until_released(struct uc_endpoint *e)
{
	struct slow *s = (struct slow *)e;

	__atomic_store_n(&s->inside, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->released, __ATOMIC_SEQ_CST))
		sched_yield();
	__atomic_store_n(&s->left, 1, __ATOMIC_SEQ_CST);
}

static void *send_slowly(void *arg)
{
	struct slow *s = arg;

	uc_send(s->e.domain, s->e.port);
	return NULL;
}

static void *close_by_host(void *arg)
{
	struct slow *s = arg;

	uc_endpoint_close(&s->e);
	__atomic_store_n(&s->closed_early, !__atomic_load_n(&s->left, __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
	return NULL;
}

static void *close_by_guest(void *arg)
{
	struct slow *s = arg;

	uc_close(s->e.domain, s->e.port);
	__atomic_store_n(&s->closed_early, !__atomic_load_n(&s->left, __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
	return NULL;
}

/* notify() is held up; the close begins; 20 ms later notify() may go on. */
static void close_during_notify(struct machine *m, void *(*close)(void *))
{
	struct slow s = {.e.notify = notify_until_released, .closed_early = 2};
	pthread_t sender, closer;

	m->world->on_relax = (void (*)(void))sched_yield;
	assert_int_equal(uc_endpoint_open(&s.e, &m->d), 0);
	pthread_create(&sender, NULL, send_slowly, &s);
	while (!__atomic_load_n(&s.inside, __ATOMIC_SEQ_CST))
		sched_yield();
	pthread_create(&closer, NULL, close, &s);
	usleep(20000);
	__atomic_store_n(&s.released, 1, __ATOMIC_SEQ_CST);
	pthread_join(sender, NULL);
	pthread_join(closer, NULL);
	assert_int_equal(s.closed_early, 0);
}

static void a_close_by_the_host_waits_for_notify(void **state)
{
	close_during_notify(((struct world *)*state)->a, close_by_host);
}

static void a_close_by_the_guest_waits_for_notify(void **state)
{
	close_during_notify(((struct world *)*state)->a, close_by_guest);
}

static void raise_back(struct uc_endpoint *e)
{
	assert_int_equal(uc_endpoint_raise(e), 0);
}

static void notify_may_raise(void **state)
{
	struct machine *a = ((struct world *)*state)->a;
	struct line l;
	uint32_t port;

	start_fifo(a, 1);
	port = open_line(a, &l, 0);
	l.e.notify = raise_back;
	assert_int_equal(uc_send(&a->d, port), 0);
	assert_int_equal(run_all(a), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_send_notifies_the_end_point),
		TEST(bind_takes_an_unbound_port_for_the_host_and_notifies),
		TEST(bind_refuses_other_ports),
		TEST(open_fails_when_no_port_is_free),
		TEST(after_the_guest_closed_a_raise_says_so),
		TEST(closing_the_end_point_leaves_the_port_unbound),
		TEST(a_close_by_the_host_waits_for_notify),
		TEST(a_close_by_the_guest_waits_for_notify),
		TEST(notify_may_raise),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
