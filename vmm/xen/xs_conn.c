/* SPDX-License-Identifier: MIT */
#include <errno.h> /* before xs_wire.h, which then has the table of error names */

#include "vmm/xen/xs_conn.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/xen/store_ops.h"
#include "vmm/xen/store_watch.h"

struct uc_xs_msg {
	TAILQ_ENTRY(uc_xs_msg) link;
	unsigned len; /* with the header */
	char bytes[];
};

static const struct xsd_sockmsg *header_of(const struct uc_xs_msg *msg)
{
	return (const struct xsd_sockmsg *)msg->bytes;
}

static bool is_event(const struct uc_xs_msg *msg)
{
	return header_of(msg)->type == XS_WATCH_EVENT;
}

static struct uc_xs_msg *msg_new(uint32_t type, uint32_t req_id, uint32_t tx_id, size_t len)
{
	struct uc_xs_msg *msg = malloc(sizeof(*msg) + sizeof(struct xsd_sockmsg) + len);
	struct xsd_sockmsg hdr = {
		.type = type, .req_id = req_id, .tx_id = tx_id, .len = (uint32_t)len};

	if (!msg)
		return NULL;
	msg->len = (unsigned)(sizeof(hdr) + len);
	memcpy(msg->bytes, &hdr, sizeof(hdr));
	return msg;
}

static char *payload_of(struct uc_xs_msg *msg)
{
	return msg->bytes + sizeof(struct xsd_sockmsg);
}

static void msg_drop(struct uc_xs_conn *conn, struct uc_xs_msg *msg)
{
	*(is_event(msg) ? &conn->n_events : &conn->n_replies) -= 1;
	TAILQ_REMOVE(&conn->out, msg, link);
	free(msg);
}

static bool event_queued(const struct uc_xs_conn *conn, const struct uc_xs_msg *event)
{
	const struct uc_xs_msg *msg;

	TAILQ_FOREACH(msg, &conn->out, link)
	if (msg->len == event->len && !memcmp(msg->bytes, event->bytes, msg->len) &&
	    !(msg == TAILQ_FIRST(&conn->out) && conn->out_sent))
		return true;
	return false;
}

static bool may_queue_event(struct uc_xs_conn *conn)
{
	if (conn->n_events < UC_XS_EVENTS_MAX) {
		conn->dropping = false;
		return true;
	}
	if (!conn->dropping && conn->log)
		conn->log(conn->ctx, "xenstore: the guest does not read its watch events; "
				     "dropping new ones");
	conn->dropping = true;
	return false;
}

static void deliver(struct uc_store_client *client, const struct uc_store_watch *watch,
		    const char *path)
{
	struct uc_xs_conn *conn = (struct uc_xs_conn *)((char *)client -
							offsetof(struct uc_xs_conn, client));
	size_t path_size = strlen(path) + 1, token_size = strlen(watch->token) + 1;
	struct uc_xs_msg *event;

	/* A payload beyond the limit would break the reader: xenstored leaves it out as well. */
	if (conn->broken || path_size + token_size > XENSTORE_PAYLOAD_MAX || !may_queue_event(conn))
		return;
	event = msg_new(XS_WATCH_EVENT, 0, 0, path_size + token_size);
	if (!event)
		return;
	memcpy(payload_of(event), path, path_size);
	memcpy(payload_of(event) + path_size, watch->token, token_size);
	if (event_queued(conn, event)) {
		free(event);
		return;
	}
	TAILQ_INSERT_TAIL(&conn->out, event, link);
	conn->n_events++;
	if (conn->on_output)
		conn->on_output(conn->ctx);
}

void uc_xs_conn_init(struct uc_xs_conn *conn, struct uc_store *st, uint16_t domid)
{
	memset(conn, 0, sizeof(*conn));
	conn->st = st;
	TAILQ_INIT(&conn->out);
	uc_store_client_init(st, &conn->client, domid);
	conn->client.deliver = deliver;
}

static void drop_output(struct uc_xs_conn *conn)
{
	while (!TAILQ_EMPTY(&conn->out))
		msg_drop(conn, TAILQ_FIRST(&conn->out));
	conn->out_sent = 0;
}

void uc_xs_conn_destroy(struct uc_xs_conn *conn)
{
	uc_store_client_leave(conn->st, &conn->client);
	drop_output(conn);
}

void uc_xs_conn_break(struct uc_xs_conn *conn, const char *text)
{
	if (conn->broken)
		return;
	conn->broken = true;
	/* Watches and transactions stay until the end: this may run while the store walks them. */
	drop_output(conn);
	if (conn->log)
		conn->log(conn->ctx, text);
}

static void queue_reply(struct uc_xs_conn *conn, uint32_t type, const void *data, size_t len)
{
	struct uc_xs_msg *msg = msg_new(type, conn->hdr.req_id, conn->hdr.tx_id, len);

	if (!msg) {
		uc_xs_conn_break(conn, "xenstore: out of memory for a reply");
		return;
	}
	if (len)
		memcpy(payload_of(msg), data, len);
	TAILQ_INSERT_TAIL(&conn->out, msg, link);
	conn->n_replies++;
}

static void reply_error(struct uc_xs_conn *conn, int err)
{
	const char *name = "EINVAL";

	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (xsd_errors[i].errnum == err)
			name = xsd_errors[i].errstring;
	queue_reply(conn, XS_ERROR, name, strlen(name) + 1);
}

void uc_xs_conn_reply(struct uc_xs_conn *conn, const void *data, size_t len)
{
	if (len > XENSTORE_PAYLOAD_MAX)
		reply_error(conn, E2BIG);
	else
		queue_reply(conn, conn->hdr.type, data, len);
}

static unsigned message_end(const struct uc_xs_conn *conn)
{
	return (unsigned)sizeof(conn->hdr) +
	       (conn->in_used >= sizeof(conn->hdr) ? conn->hdr.len : 0);
}

unsigned uc_xs_conn_wants(const struct uc_xs_conn *conn)
{
	if (conn->broken || conn->n_replies >= UC_XS_REPLIES_MAX)
		return 0;
	return message_end(conn) - conn->in_used;
}

static void request_complete(struct uc_xs_conn *conn)
{
	int rc;

	conn->payload[conn->hdr.len] = '\0';
	conn->in_used = 0;
	rc = uc_xs_request(conn);
	if (rc)
		reply_error(conn, -rc);
	uc_store_dispatch(conn->st);
}

void uc_xs_conn_put(struct uc_xs_conn *conn, const void *bytes, unsigned len)
{
	if (conn->in_used < sizeof(conn->hdr))
		memcpy((char *)&conn->hdr + conn->in_used, bytes, len);
	else
		memcpy(conn->payload + conn->in_used - sizeof(conn->hdr), bytes, len);
	conn->in_used += len;
	if (conn->in_used < sizeof(conn->hdr))
		return;
	if (conn->hdr.len > XENSTORE_PAYLOAD_MAX) {
		uc_xs_conn_break(conn, "xenstore: the guest sent an over-long message; "
				       "its connection is closed");
		return;
	}
	if (conn->in_used == message_end(conn))
		request_complete(conn);
}

unsigned uc_xs_conn_peek(const struct uc_xs_conn *conn, const void **bytes)
{
	const struct uc_xs_msg *msg = TAILQ_FIRST(&conn->out);

	if (!msg)
		return 0;
	*bytes = msg->bytes + conn->out_sent;
	return msg->len - conn->out_sent;
}

void uc_xs_conn_sent(struct uc_xs_conn *conn, unsigned len)
{
	struct uc_xs_msg *msg = TAILQ_FIRST(&conn->out);

	conn->out_sent += len;
	if (conn->out_sent == msg->len) {
		msg_drop(conn, msg);
		conn->out_sent = 0;
	}
}
