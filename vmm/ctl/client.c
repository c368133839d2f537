/* SPDX-License-Identifier: MIT */
#include "vmm/ctl/client.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "vmm/ctl/conn.h"
#include "vmm/ctl/place.h"

#define READ_BYTES 4096u

/* ---- where ---- */

static int dial(const struct sockaddr_un *addr)
{
	const struct timeval timeout = {.tv_sec = UC_CTL_TIMEOUT_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
		int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

static bool is_there(const char *dir, const char *name)
{
	struct uc_diag ignored = {0};
	struct sockaddr_un addr;
	int fd = uc_ctl_address(&addr, dir, name, &ignored) ? -1 : dial(&addr);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int is_socket_name(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".sock");
}

static int by_name(const void *a, const void *b)
{
	const struct dirent *const *left = a, *const *right = b;

	return strcmp((*left)->d_name, (*right)->d_name);
}

/* `n` names of sockets become those of the machines that are there. Frees the entries. */
static void add_running(json_t *names, const char *dir, struct dirent **entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*strrchr(entries[i]->d_name, '.') = '\0';
	if (n) /* else there may be no array at all */
		qsort(entries, n, sizeof(entries[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (uc_ctl_name_valid(name) && is_there(dir, name))
			json_array_append_new(names, json_string(name));
		free(entries[i]);
	}
	free(entries);
}

json_t *uc_ctl_running(struct uc_diag *diag)
{
	json_t *names = json_array();
	char dir[UC_CTL_PATH_SIZE];
	struct dirent **entries;
	int n, rc = uc_ctl_dir(dir, false, diag);

	if (rc == -ENOENT)
		return names;
	n = rc ? -1 : scandir(dir, &entries, is_socket_name, NULL);
	if (n < 0) {
		uc_fail(diag, UC_EXIT_CTL, errno, "%s: %s", dir, strerror(errno));
		json_decref(names);
		return NULL;
	}
	add_running(names, dir, entries, (size_t)n);
	return names;
}

static int fail_absent(const char *name, struct uc_diag *diag)
{
	json_t *names = uc_ctl_running(diag), *one;
	char list[256] = "";
	size_t i;

	if (!names)
		return -ENOENT;
	json_array_foreach(names, i, one)
	{
		const char *text = json_string_value(one);

		/* One of that name may have come in between. */
		if (strcmp(text, name) && strlen(list) + strlen(text) + 2 < sizeof(list))
			strcat(strcat(list, " "), text);
	}
	json_decref(names);
	return uc_fail(diag, UC_EXIT_CTL, ENOENT, "no machine named %s is running; there %s%s",
		       name, list[0] ? "are:" : "is none", list);
}

int uc_ctl_connect(struct uc_ctl_client *client, const char *name, struct uc_diag *diag)
{
	char dir[UC_CTL_PATH_SIZE];
	struct sockaddr_un addr;
	int rc;

	*client = (struct uc_ctl_client){.fd = -1, .name = name};
	if (!uc_ctl_name_valid(name))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "that is no machine's name; `upcall list` shows those running");
	rc = uc_ctl_dir(dir, false, diag);
	if (!rc)
		rc = uc_ctl_address(&addr, dir, name, diag);
	if (!rc)
		rc = client->fd = dial(&addr);
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return fail_absent(name, diag);
	if (rc < 0)
		return uc_fail(diag, UC_EXIT_CTL, -rc, "cannot reach %s: %s", name, strerror(-rc));
	return 0;
}

void uc_ctl_disconnect(struct uc_ctl_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/* ---- asking ---- */

static int fail_gone(const struct uc_ctl_client *client, int err, struct uc_diag *diag)
{
	if (err == EAGAIN || err == EWOULDBLOCK)
		return uc_fail(diag, UC_EXIT_CTL, ETIMEDOUT, "%s does not answer within %d s",
			       client->name, UC_CTL_TIMEOUT_S);
	return uc_fail(diag, UC_EXIT_CTL, ECONNRESET, "%s ended before it answered", client->name);
}

/* A send that finds the other end closed is no failure yet: it may have said why. */
static int send_all(const struct uc_ctl_client *client, const char *text, struct uc_diag *diag)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(client->fd, text, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE || errno == ECONNRESET
				       ? 0
				       : fail_gone(client, errno, diag);
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

static int send_request(const struct uc_ctl_client *client, const json_t *request,
			struct uc_diag *diag)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int rc;

	if (!text)
		return uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "out of memory");
	if (strlen(text) + 1 > UC_CTL_LINE_MAX)
		rc = uc_fail(diag, UC_EXIT_USAGE, E2BIG, "the request is longer than %u bytes",
			     UC_CTL_LINE_MAX);
	else
		rc = send_all(client, text, diag);
	free(text);
	return rc ? rc : send_all(client, "\n", diag);
}

struct line {
	char *text;
	size_t bytes;
	bool whole;
};

static int receive_some(const struct uc_ctl_client *client, struct line *line, struct uc_diag *diag)
{
	char *bigger = realloc(line->text, line->bytes + READ_BYTES);
	ssize_t n;

	if (!bigger || line->bytes > UC_CTL_OUT_MAX)
		return uc_fail(diag, UC_EXIT_CTL, EMSGSIZE, "%s sent too long an answer",
			       client->name);
	line->text = bigger;
	n = recv(client->fd, bigger + line->bytes, READ_BYTES, 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return fail_gone(client, n ? errno : ECONNRESET, diag);
	line->bytes += (size_t)n;
	line->whole = bigger[line->bytes - 1] == '\n';
	return 0;
}

/* The machine's words, on one line of a terminal. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static int errno_of(const char *name)
{
	for (int err = 1; name && err < 134; err++) {
		const char *known = strerrorname_np(err);

		if (known && !strcmp(known, name))
			return err;
	}
	return EIO;
}

static int take_reply(const struct uc_ctl_client *client, const json_t *reply, json_t **result,
		      struct uc_diag *diag)
{
	const char *error = json_string_value(json_object_get(reply, "error"));
	int rc;

	if (json_is_true(json_object_get(reply, "ok"))) {
		*result = json_incref(json_object_get(reply, "result"));
		if (*result)
			return 0;
	}
	rc = uc_fail(diag, UC_EXIT_CTL,
		     errno_of(json_string_value(json_object_get(reply, "errno"))), "%s: %s",
		     client->name, error ? error : "an answer that is none");
	clean(diag->text);
	return rc;
}

int uc_ctl_ask(struct uc_ctl_client *client, const json_t *request, json_t **result,
	       struct uc_diag *diag)
{
	struct line line = {0};
	json_t *reply = NULL;
	int rc = send_request(client, request, diag);

	*result = NULL;
	while (!rc && !line.whole)
		rc = receive_some(client, &line, diag);
	if (!rc) {
		reply = json_loadb(line.text, line.bytes, 0, NULL);
		rc = take_reply(client, reply, result, diag);
	}
	json_decref(reply);
	free(line.text);
	return rc;
}

int uc_ctl_ask_once(const char *name, const json_t *request, json_t **result, struct uc_diag *diag)
{
	struct uc_ctl_client client;
	int rc = uc_ctl_connect(&client, name, diag);

	if (!rc)
		rc = uc_ctl_ask(&client, request, result, diag);
	uc_ctl_disconnect(&client);
	return rc;
}
