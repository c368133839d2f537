/* SPDX-License-Identifier: MIT */
/*
 * The requests of the xenstore protocol, one function each: check the payload's form, use the
 * store, reply. The table at the end is the protocol's list of types; what it lacks is -ENOSYS,
 * what is for domain 0 only is -EACCES. Called by xs_conn.c for each complete message.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/xen/store_ops.h"
#include "vmm/xen/store_tx.h"
#include "vmm/xen/store_watch.h"
#include "vmm/xen/xs_conn.h"

typedef struct uc_xs_conn conn_t;
typedef struct uc_store_op op_t;

struct request {
	int (*run)(conn_t *conn, op_t *op);
	bool ignores_tx;
	bool privileged;
};

static int reply_ok(conn_t *conn)
{
	uc_xs_conn_reply(conn, "OK", sizeof("OK"));
	return 0;
}

/* The payload as `want` NUL-terminated strings, and nothing else. */
static bool strings(const conn_t *conn, unsigned want, const char *out[])
{
	const char *at = conn->payload, *end = at + conn->hdr.len;

	if (at == end || end[-1])
		return false;
	for (unsigned i = 0; i < want; i++) {
		if (at == end)
			return false;
		out[i] = at;
		at += strlen(at) + 1;
	}
	return at == end;
}

static int run_read(conn_t *conn, op_t *op)
{
	const struct uc_store_node *node;
	const char *path;
	int rc = strings(conn, 1, &path) ? uc_store_op_get(op, path, &node) : -EINVAL;

	if (!rc)
		uc_xs_conn_reply(conn, node->value, node->value_len);
	return rc;
}

/* The names of all children, each with its NUL; `names` has node->names_len bytes. */
static void list_children(const struct uc_store_node *node, char *names)
{
	for (uint32_t i = 0; i < node->n_children; i++) {
		size_t size = strlen(node->children[i]->name) + 1;

		memcpy(names, node->children[i]->name, size);
		names += size;
	}
}

static int run_directory(conn_t *conn, op_t *op)
{
	const struct uc_store_node *node;
	char names[XENSTORE_PAYLOAD_MAX];
	const char *path;
	int rc = strings(conn, 1, &path) ? uc_store_op_get(op, path, &node) : -EINVAL;

	if (rc)
		return rc;
	if (node->names_len > sizeof(names))
		return -E2BIG; /* the client then asks for DIRECTORY_PART */
	list_children(node, names);
	uc_xs_conn_reply(conn, names, node->names_len);
	return 0;
}

/* Whole names from byte `offset` on, as many as fit; an empty name after the last one. */
static size_t list_part(const struct uc_store_node *node, unsigned long offset, char *out,
			size_t size)
{
	size_t used = 0, at = 0;

	for (uint32_t i = 0; i < node->n_children; i++) {
		size_t len = strlen(node->children[i]->name) + 1;

		if (at >= offset) {
			if (used + len >= size)
				return used;
			memcpy(out + used, node->children[i]->name, len);
			used += len;
		}
		at += len;
	}
	out[used] = '\0';
	return used + 1;
}

static int run_directory_part(conn_t *conn, op_t *op)
{
	const struct uc_store_node *node;
	char out[XENSTORE_PAYLOAD_MAX];
	const char *arg[2];
	size_t used;
	int rc;

	if (!strings(conn, 2, arg) || !*arg[1] || arg[1][strspn(arg[1], "0123456789")])
		return -EINVAL;
	rc = uc_store_op_get(op, arg[0], &node);
	if (rc)
		return rc;
	used = (size_t)snprintf(out, sizeof(out), "%" PRIu64, node->gen) + 1;
	used += list_part(node, strtoul(arg[1], NULL, 10), out + used, sizeof(out) - used);
	uc_xs_conn_reply(conn, out, used);
	return 0;
}

static int run_write(conn_t *conn, op_t *op)
{
	size_t path_size = strnlen(conn->payload, conn->hdr.len) + 1;
	int rc;

	if (path_size > conn->hdr.len)
		return -EINVAL;
	rc = uc_store_op_write(op, conn->payload, conn->payload + path_size,
			       conn->hdr.len - path_size);
	return rc ? rc : reply_ok(conn);
}

static int run_mkdir(conn_t *conn, op_t *op)
{
	const char *path;
	int rc = strings(conn, 1, &path) ? uc_store_op_mkdir(op, path) : -EINVAL;

	return rc ? rc : reply_ok(conn);
}

static int run_rm(conn_t *conn, op_t *op)
{
	const char *path;
	int rc = strings(conn, 1, &path) ? uc_store_op_rm(op, path) : -EINVAL;

	return rc ? rc : reply_ok(conn);
}

/* "@introduceDomain" and "@releaseDomain" have permissions, and they are domain 0's. */
static bool is_special(const conn_t *conn)
{
	return conn->payload[0] == '@';
}

static int run_get_perms(conn_t *conn, op_t *op)
{
	char out[UC_STORE_PERMS_MAX * UC_STORE_PERM_TEXT];
	const struct uc_store_node *node;
	const char *path;
	size_t used = 0;
	int rc;

	if (!strings(conn, 1, &path))
		return -EINVAL;
	rc = is_special(conn) ? -EACCES : uc_store_op_get(op, path, &node);
	if (rc)
		return rc;
	for (unsigned i = 0; i < node->perms.n; i++) {
		uc_store_perm_format(&node->perms.p[i], out + used);
		used += strlen(out + used) + 1;
	}
	uc_xs_conn_reply(conn, out, used);
	return 0;
}

static int parse_perms(const char *at, const char *end, struct uc_store_perms *perms)
{
	for (perms->n = 0; at < end; at += strlen(at) + 1) {
		if (perms->n == UC_STORE_PERMS_MAX)
			return -ENOSPC;
		if (uc_store_perm_parse(&perms->p[perms->n++], at))
			return -EINVAL;
	}
	return perms->n ? 0 : -EINVAL;
}

static int run_set_perms(conn_t *conn, op_t *op)
{
	const char *end = conn->payload + conn->hdr.len;
	struct uc_store_perms perms;
	int rc;

	if (!conn->hdr.len || end[-1])
		return -EINVAL;
	rc = parse_perms(conn->payload + strlen(conn->payload) + 1, end, &perms);
	if (!rc)
		rc = is_special(conn) ? -EACCES : uc_store_op_set_perms(op, conn->payload, &perms);
	return rc ? rc : reply_ok(conn);
}

static int run_watch(conn_t *conn, op_t *op)
{
	struct uc_store_watch *watch;
	const char *arg[2];
	int rc = strings(conn, 2, arg) ? uc_store_watch_add(op->client, arg[0], arg[1], &watch)
				       : -EINVAL;

	if (rc)
		return rc;
	reply_ok(conn);
	if (!conn->broken)
		uc_store_watch_first(op->client, watch);
	return 0;
}

static int run_unwatch(conn_t *conn, op_t *op)
{
	const char *arg[2];
	int rc = strings(conn, 2, arg) ? uc_store_watch_del(op->client, arg[0], arg[1]) : -EINVAL;

	return rc ? rc : reply_ok(conn);
}

static int run_reset_watches(conn_t *conn, op_t *op)
{
	uc_store_watch_drop_all(op->client);
	uc_store_tx_drop_all(op->client);
	return reply_ok(conn);
}

static int run_transaction_start(conn_t *conn, op_t *op)
{
	char text[16];
	uint32_t id;
	int rc = op->tx ? -EBUSY : uc_store_tx_start(op->st, op->client, &id);

	if (rc)
		return rc;
	snprintf(text, sizeof(text), "%" PRIu32, id);
	uc_xs_conn_reply(conn, text, strlen(text) + 1);
	return 0;
}

static int run_transaction_end(conn_t *conn, op_t *op)
{
	const char *how;
	int rc;

	if (!strings(conn, 1, &how) || (strcmp(how, "T") && strcmp(how, "F")))
		return -EINVAL;
	if (!op->tx)
		return -ENOENT;
	rc = uc_store_tx_end(op->st, op->client, op->tx, *how == 'T');
	return rc ? rc : reply_ok(conn);
}

static int run_get_domain_path(conn_t *conn, op_t *op)
{
	const char *text;
	char path[32];
	uint16_t domid;

	(void)op;
	if (!strings(conn, 1, &text) || uc_store_domid_parse(&domid, text))
		return -EINVAL;
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	uc_xs_conn_reply(conn, path, strlen(path) + 1);
	return 0;
}

/* IS_DOMAIN_INTRODUCED is for domain 0 only since XSA-115: it tells who else is there. */
static const struct request requests[XS_TYPE_COUNT] = {
	[XS_CONTROL] = {.privileged = true},
	[XS_DIRECTORY] = {.run = run_directory},
	[XS_READ] = {.run = run_read},
	[XS_GET_PERMS] = {.run = run_get_perms},
	[XS_WATCH] = {.run = run_watch, .ignores_tx = true},
	[XS_UNWATCH] = {.run = run_unwatch, .ignores_tx = true},
	[XS_TRANSACTION_START] = {.run = run_transaction_start},
	[XS_TRANSACTION_END] = {.run = run_transaction_end},
	[XS_INTRODUCE] = {.privileged = true},
	[XS_RELEASE] = {.privileged = true},
	[XS_GET_DOMAIN_PATH] = {.run = run_get_domain_path},
	[XS_WRITE] = {.run = run_write},
	[XS_MKDIR] = {.run = run_mkdir},
	[XS_RM] = {.run = run_rm},
	[XS_SET_PERMS] = {.run = run_set_perms},
	[XS_IS_DOMAIN_INTRODUCED] = {.privileged = true},
	[XS_RESUME] = {.privileged = true},
	[XS_SET_TARGET] = {.privileged = true},
	[XS_RESET_WATCHES] = {.run = run_reset_watches},
	[XS_DIRECTORY_PART] = {.run = run_directory_part},
};

int uc_xs_request(conn_t *conn)
{
	op_t op = {.st = conn->st, .client = &conn->client};
	const struct request *request;

	if (conn->hdr.type >= XS_TYPE_COUNT)
		return -ENOSYS;
	request = &requests[conn->hdr.type];
	if (request->privileged)
		return -EACCES;
	if (!request->run)
		return -ENOSYS;
	if (conn->hdr.tx_id && !request->ignores_tx) {
		op.tx = uc_store_tx_find(&conn->client, conn->hdr.tx_id);
		if (!op.tx)
			return -ENOENT;
	}
	return request->run(conn, &op);
}
