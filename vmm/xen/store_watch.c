/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/xen/store_path.h"

static struct uc_store_watch *watch_find(struct uc_store_client *client, const char *path,
					 const char *token)
{
	struct uc_store_watch *watch;

	TAILQ_FOREACH(watch, &client->watches, link)
	if (!strcmp(watch->path, path) && !strcmp(watch->token, token))
		return watch;
	return NULL;
}

static struct uc_store_watch *watch_new(const char *path, const char *token)
{
	size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;
	struct uc_store_watch *watch = calloc(1, sizeof(*watch) + path_size + token_size);

	if (!watch)
		return NULL;
	memcpy(watch->path, path, path_size);
	watch->token = watch->path + path_size;
	memcpy(watch->token, token, token_size);
	return watch;
}

int uc_store_watch_add(struct uc_store_client *client, const char *path, const char *token,
		       struct uc_store_watch **out)
{
	char abs[UC_STORE_PATH_SIZE];
	struct uc_store_watch *watch;
	int rc = uc_store_path_abs(abs, path, client->domid, true);

	if (rc)
		return rc;
	if (client->domid && watch_find(client, abs, token))
		return -EEXIST;
	if (client->domid && client->n_watches >= UC_STORE_WATCHES_MAX)
		return -ENOSPC;
	watch = watch_new(abs, token);
	if (!watch)
		return -ENOMEM;
	if (path[0] != '/' && path[0] != '@')
		watch->prefix_len = uc_store_path_prefix_len(client->domid);
	TAILQ_INSERT_TAIL(&client->watches, watch, link);
	client->n_watches++;
	*out = watch;
	return 0;
}

static void hit(struct uc_store_client *client, struct uc_store_watch *watch, const char *path)
{
	client->deliver(client, watch, path + watch->prefix_len);
}

void uc_store_watch_first(struct uc_store_client *client, struct uc_store_watch *watch)
{
	hit(client, watch, watch->path);
}

void uc_store_watch_free(struct uc_store_client *client, struct uc_store_watch *watch)
{
	TAILQ_REMOVE(&client->watches, watch, link);
	client->n_watches--;
	free(watch);
}

int uc_store_watch_del(struct uc_store_client *client, const char *path, const char *token)
{
	char abs[UC_STORE_PATH_SIZE];
	struct uc_store_watch *watch;
	int rc = uc_store_path_abs(abs, path, client->domid, true);

	if (rc)
		return rc;
	watch = watch_find(client, abs, token);
	if (!watch)
		return -ENOENT;
	uc_store_watch_free(client, watch);
	return 0;
}

void uc_store_watch_drop_all(struct uc_store_client *client)
{
	while (!TAILQ_EMPTY(&client->watches))
		uc_store_watch_free(client, TAILQ_FIRST(&client->watches));
}

static bool may_read(const struct uc_store_tree *tree, const char *path, uint16_t domid)
{
	const struct uc_store_node *node = uc_store_tree_find(tree, path);

	return node && (uc_store_perms_of(&node->perms, domid) & UC_STORE_READ);
}

static bool may_hear(const struct uc_store_tree *before, const struct uc_store_tree *after,
		     const char *path, uint16_t domid)
{
	char parent[UC_STORE_PATH_SIZE];

	if (domid == 0 || may_read(after, path, domid) || may_read(before, path, domid))
		return true;
	if (path[0] == '@')
		return false;
	strcpy(parent, path);
	uc_store_path_to_parent(parent);
	return may_read(after, parent, domid) || may_read(before, parent, domid);
}

/* The watched node is strictly below the removed `path` and has been there. */
static bool went_away(const struct uc_store_tree *before, const struct uc_store_tree *after,
		      const struct uc_store_watch *watch, const char *path, uint16_t domid)
{
	return uc_store_path_is_child(watch->path, path) &&
	       uc_store_tree_find(before, watch->path) &&
	       may_hear(before, after, watch->path, domid);
}

void uc_store_watch_fire(struct uc_store *st, const struct uc_store_tree *before,
			 const struct uc_store_tree *after, const char *path, bool removed)
{
	struct uc_store_client *client;
	struct uc_store_watch *watch;

	TAILQ_FOREACH(client, &st->clients, link)
	{
		bool hears = may_hear(before, after, path, client->domid);

		TAILQ_FOREACH(watch, &client->watches, link)
		{
			if (uc_store_path_is_child(path, watch->path)) {
				if (hears)
					hit(client, watch, path);
			} else if (removed && went_away(before, after, watch, path, client->domid))
				hit(client, watch, watch->path);
		}
	}
}
