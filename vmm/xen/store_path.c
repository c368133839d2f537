/* SPDX-License-Identifier: MIT */
#include "vmm/xen/store_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool well_formed(const char *path, bool special)
{
	size_t len = strlen(path);

	if (!len || (path[0] == '@' && !special))
		return false;
	if (path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			      "0123456789-/_@")])
		return false;
	if (len > 1 && path[len - 1] == '/')
		return false;
	return !strstr(path, "//");
}

int uc_store_path_abs(char out[UC_STORE_PATH_SIZE], const char *path, uint16_t domid, bool special)
{
	bool relative = path[0] != '/' && path[0] != '@';

	if (!well_formed(path, special))
		return -EINVAL;
	if (strlen(path) > (relative ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX))
		return -EINVAL;
	if (relative)
		snprintf(out, UC_STORE_PATH_SIZE, "/local/domain/%u/%s", domid, path);
	else
		snprintf(out, UC_STORE_PATH_SIZE, "%s", path);
	return 0;
}

unsigned uc_store_path_prefix_len(uint16_t domid)
{
	return (unsigned)snprintf(NULL, 0, "/local/domain/%u/", domid);
}

bool uc_store_path_is_child(const char *child, const char *parent)
{
	size_t len = strlen(parent);

	if (!strcmp(parent, "/"))
		return child[0] == '/';
	return !strncmp(child, parent, len) && (child[len] == '/' || !child[len]);
}

void uc_store_path_to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		strcpy(path, "/");
	else
		*slash = '\0';
}
