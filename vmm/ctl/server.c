/* SPDX-License-Identifier: MIT */
/*
 * Turns: a client's wake-up reads once and answers one request. When more whole lines are there
 * already, nothing is read until they are answered, one per turn, after the devices had theirs
 * (`turn`, an eventfd). So a client can fill its own buffers, and nothing else.
 */
#include "vmm/ctl/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/ctl/conn.h"
#include "vmm/ctl/ops.h"
#include "vmm/ctl/place.h"

struct client {
	struct uc_ctl *ctl;
	struct uc_ctl_conn conn; /* fd -1: a free slot */
	struct uc_source source;
};

struct uc_ctl {
	struct uc_ctl_claim claim;
	struct uc_control *control; /* NULL: no machine is attached */
	struct uc_vm *vm;
	struct uc_source listener, turn;
	int spare_fd; /* given up for a moment to refuse a client when descriptors run out */
	struct client clients[UC_CTL_CLIENTS_MAX];
};

static bool in_use(const struct client *c)
{
	return c->conn.fd >= 0;
}

static bool has_line(const struct client *c)
{
	size_t bytes;

	return uc_ctl_conn_line(&c->conn, &bytes) != NULL;
}

static void drop(struct client *c)
{
	if (c->ctl->control)
		(void)uc_control_watch(c->ctl->control, &c->source, 0);
	uc_ctl_conn_close(&c->conn);
}

/* ---- a client's turn ---- */

static int reply(struct client *c, char *text)
{
	int rc = text ? uc_ctl_conn_send(&c->conn, text, strlen(text)) : -ENOMEM;

	free(text);
	return rc;
}

static int answer(struct client *c)
{
	size_t bytes;
	const char *line = uc_ctl_conn_line(&c->conn, &bytes);
	char *text;

	if (!line)
		return 0;
	text = uc_ctl_answer(c->ctl->vm, line, bytes);
	uc_ctl_conn_consume(&c->conn, bytes);
	return reply(c, text);
}

/* What is to be waited for now; -EPIPE when the client has nothing more to get. */
static int settle(struct client *c)
{
	bool line = has_line(c), unsent = uc_ctl_conn_unsent(&c->conn);
	bool reading = !c->conn.ended && !line;
	uint64_t one = 1;

	/* It is read only when no whole line is left, so its end comes after its last line. */
	if (c->conn.ended && !unsent)
		return -EPIPE;
	if (line)
		(void)!write(c->ctl->turn.fd, &one, sizeof(one));
	return uc_control_watch(c->ctl->control, &c->source,
				(reading ? EPOLLIN : 0) | (unsent ? EPOLLOUT : 0));
}

static void take_turn(struct client *c)
{
	int rc = answer(c);

	if (!rc)
		rc = settle(c);
	if (rc)
		drop(c);
}

static int receive(struct client *c)
{
	int rc = uc_ctl_conn_receive(&c->conn);

	if (rc != -EMSGSIZE)
		return rc;
	uc_ctl_conn_end(&c->conn);
	return reply(c, uc_ctl_refusal(EMSGSIZE, "a request is at most 65536 bytes long"));
}

static void on_client(void *ctx, uint32_t events)
{
	struct client *c = ctx;
	int rc = uc_ctl_conn_flush(&c->conn);

	(void)events;
	/* Not EPOLLHUP's word alone: what the client said before it left is answered. */
	if (!rc && (c->source.events & EPOLLIN))
		rc = receive(c);
	if (rc)
		drop(c);
	else
		take_turn(c);
}

static void on_turn(void *ctx, uint32_t events)
{
	struct uc_ctl *ctl = ctx;
	uint64_t count;

	(void)events;
	(void)!read(ctl->turn.fd, &count, sizeof(count));
	for (uint32_t i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		if (in_use(&ctl->clients[i]) && has_line(&ctl->clients[i]))
			take_turn(&ctl->clients[i]);
}

/* ---- new clients ---- */

static struct client *free_slot(struct uc_ctl *ctl)
{
	for (uint32_t i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		if (!in_use(&ctl->clients[i]))
			return &ctl->clients[i];
	return NULL;
}

/* A new socket's buffer is empty, so that one line fits. */
static void turn_away(int fd)
{
	char *text = uc_ctl_refusal(EUSERS, "too many clients at once; try again later");

	if (text)
		(void)!send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	close(fd);
}

static int accept_one(int listen_fd)
{
	return accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Out of descriptors: the one that waits must go, or the loop would wake for it for ever. */
static void turn_away_with_spare(struct uc_ctl *ctl)
{
	int fd;

	close(ctl->spare_fd);
	fd = accept_one(ctl->listener.fd);
	if (fd >= 0)
		turn_away(fd);
	ctl->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void welcome(struct client *c, int fd)
{
	if (uc_ctl_conn_open(&c->conn, fd)) {
		c->conn.fd = -1;
		turn_away(fd);
		return;
	}
	c->source = (struct uc_source){.fd = fd, .ready = on_client, .ctx = c};
	if (settle(c))
		drop(c);
}

static void on_listener(void *ctx, uint32_t events)
{
	struct uc_ctl *ctl = ctx;
	struct client *slot = free_slot(ctl);
	int fd = accept_one(ctl->listener.fd);

	(void)events;
	if (fd >= 0 && slot)
		welcome(slot, fd);
	else if (fd >= 0)
		turn_away(fd);
	else if (errno == EMFILE || errno == ENFILE)
		turn_away_with_spare(ctl);
}

/* ---- life ---- */

int uc_ctl_open(struct uc_ctl **out, const char *name, struct uc_diag *diag)
{
	struct uc_ctl *ctl = calloc(1, sizeof(*ctl));
	int rc;

	*out = NULL;
	if (!ctl)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "out of memory");
	rc = uc_ctl_claim(&ctl->claim, name, diag);
	if (rc) {
		free(ctl);
		return rc;
	}
	for (uint32_t i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		ctl->clients[i] = (struct client){.ctl = ctl, .conn = {.fd = -1}};
	ctl->listener = (struct uc_source){
		.fd = ctl->claim.listen_fd, .ready = on_listener, .ctx = ctl};
	ctl->turn = (struct uc_source){
		.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = on_turn, .ctx = ctl};
	ctl->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	*out = ctl;
	return 0;
}

void uc_ctl_close(struct uc_ctl *ctl)
{
	if (!ctl)
		return;
	for (uint32_t i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		if (in_use(&ctl->clients[i]))
			drop(&ctl->clients[i]);
	uc_ctl_unclaim(&ctl->claim);
	if (ctl->turn.fd >= 0)
		close(ctl->turn.fd);
	if (ctl->spare_fd >= 0)
		close(ctl->spare_fd);
	free(ctl);
}

const char *uc_ctl_name(const struct uc_ctl *ctl)
{
	return ctl->claim.name;
}

int uc_ctl_attach(struct uc_ctl *ctl, struct uc_control *control, struct uc_vm *vm)
{
	int rc;

	ctl->control = control;
	ctl->vm = vm;
	rc = uc_control_watch(control, &ctl->listener, EPOLLIN);
	if (!rc)
		rc = uc_control_watch(control, &ctl->turn, EPOLLIN);
	for (uint32_t i = 0; !rc && i < UC_CTL_CLIENTS_MAX; i++)
		if (in_use(&ctl->clients[i]) && settle(&ctl->clients[i]))
			drop(&ctl->clients[i]);
	return rc;
}

void uc_ctl_detach(struct uc_ctl *ctl)
{
	struct uc_control *control = ctl->control;

	if (!control)
		return;
	(void)uc_control_watch(control, &ctl->listener, 0);
	(void)uc_control_watch(control, &ctl->turn, 0);
	for (uint32_t i = 0; i < UC_CTL_CLIENTS_MAX; i++)
		if (in_use(&ctl->clients[i]))
			(void)uc_control_watch(control, &ctl->clients[i].source, 0);
	ctl->control = NULL;
	ctl->vm = NULL;
}
