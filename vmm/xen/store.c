/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/xen/store_ops.h"
#include "vmm/xen/store_watch.h"

/* A change that a watch of the VMM was hit by, until the watch's function is called. */
struct uc_store_event {
	TAILQ_ENTRY(uc_store_event) link;
	const struct uc_store_watch *watch;
	char path[];
};

static bool event_queued(const struct uc_store *st, const struct uc_store_watch *watch,
			 const char *path)
{
	const struct uc_store_event *event;

	TAILQ_FOREACH(event, &st->events, link)
	if (event->watch == watch && !strcmp(event->path, path))
		return true;
	return false;
}

static void vmm_deliver(struct uc_store_client *client, const struct uc_store_watch *watch,
			const char *path)
{
	struct uc_store *st = (struct uc_store *)((char *)client - offsetof(struct uc_store, vmm));
	struct uc_store_event *event;

	if (event_queued(st, watch, path))
		return;
	event = malloc(sizeof(*event) + strlen(path) + 1);
	if (!event)
		return; /* as a full queue: the event is lost, the store is not */
	event->watch = watch;
	strcpy(event->path, path);
	TAILQ_INSERT_TAIL(&st->events, event, link);
}

void uc_store_dispatch(struct uc_store *st)
{
	struct uc_store_event *event;

	if (st->dispatching)
		return;
	st->dispatching = true;
	while ((event = TAILQ_FIRST(&st->events))) {
		TAILQ_REMOVE(&st->events, event, link);
		event->watch->fn(event->watch->ctx, event->path);
		free(event);
	}
	st->dispatching = false;
}

static void events_drop(struct uc_store *st, const struct uc_store_watch *watch)
{
	struct uc_store_event *event = TAILQ_FIRST(&st->events), *next;

	for (; event; event = next) {
		next = TAILQ_NEXT(event, link);
		if (watch && event->watch != watch)
			continue;
		TAILQ_REMOVE(&st->events, event, link);
		free(event);
	}
}

int uc_store_init(struct uc_store *st)
{
	memset(st, 0, sizeof(*st));
	TAILQ_INIT(&st->clients);
	TAILQ_INIT(&st->events);
	uc_store_client_init(st, &st->vmm, 0);
	st->vmm.deliver = vmm_deliver;
	return uc_store_tree_init(&st->tree, &st->pool);
}

void uc_store_destroy(struct uc_store *st)
{
	events_drop(st, NULL);
	uc_store_client_leave(st, &st->vmm);
	if (st->tree.root)
		uc_store_tree_release(&st->tree);
}

static struct uc_store_op vmm_op(struct uc_store *st)
{
	return (struct uc_store_op){.st = st, .client = &st->vmm};
}

int uc_store_write(struct uc_store *st, const char *path, const char *value)
{
	struct uc_store_op op = vmm_op(st);
	int rc = uc_store_op_write(&op, path, value, strlen(value));

	uc_store_dispatch(st);
	return rc;
}

int uc_store_writef(struct uc_store *st, const char *path, const char *fmt, ...)
{
	char value[UC_STORE_NODE_BYTES_MAX];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(value))
		return -E2BIG;
	return uc_store_write(st, path, value);
}

int uc_store_rm(struct uc_store *st, const char *path)
{
	struct uc_store_op op = vmm_op(st);
	int rc = uc_store_op_rm(&op, path);

	uc_store_dispatch(st);
	return rc;
}

int uc_store_set_perms(struct uc_store *st, const char *path, const struct uc_store_perms *perms)
{
	struct uc_store_op op = vmm_op(st);
	int rc = uc_store_op_set_perms(&op, path, perms);

	uc_store_dispatch(st);
	return rc;
}

int uc_store_mknod(struct uc_store *st, const char *path, const struct uc_store_perms *perms)
{
	struct uc_store_op op = vmm_op(st);
	int rc = uc_store_op_mkdir(&op, path);

	return rc ? rc : uc_store_set_perms(st, path, perms);
}

ssize_t uc_store_read(struct uc_store *st, const char *path, char *buf, size_t size)
{
	struct uc_store_op op = vmm_op(st);
	const struct uc_store_node *node;
	int rc = uc_store_op_get(&op, path, &node);

	if (rc)
		return rc;
	if (node->value_len >= size)
		return -E2BIG;
	if (node->value_len)
		memcpy(buf, node->value, node->value_len);
	buf[node->value_len] = '\0';
	return node->value_len;
}

int uc_store_watch(struct uc_store *st, const char *path, uc_store_watch_fn fn, void *ctx)
{
	struct uc_store_watch *watch;
	int rc = uc_store_watch_add(&st->vmm, path, "", &watch);

	if (rc)
		return rc;
	watch->fn = fn;
	watch->ctx = ctx;
	uc_store_watch_first(&st->vmm, watch);
	uc_store_dispatch(st);
	return 0;
}

int uc_store_unwatch(struct uc_store *st, const char *path, uc_store_watch_fn fn, void *ctx)
{
	struct uc_store_watch *watch;

	TAILQ_FOREACH(watch, &st->vmm.watches, link)
	{
		if (strcmp(watch->path, path) || watch->fn != fn || watch->ctx != ctx)
			continue;
		events_drop(st, watch);
		uc_store_watch_free(&st->vmm, watch);
		return 0;
	}
	return -ENOENT;
}

void uc_store_fire_special(struct uc_store *st, const char *name)
{
	uc_store_watch_fire(st, &st->tree, &st->tree, name, false);
	uc_store_dispatch(st);
}
