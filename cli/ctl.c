/* SPDX-License-Identifier: MIT */
/* `upcall ctl`: one request to a running machine, made from words; docs/control.md. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"
#include "vmm/ctl/client.h"

static bool as_json;

static const struct uc_opt opts[] = {
	{"json", UC_OPT_FLAG, NULL, "print the answer as JSON", &as_json},
	{NULL},
};

/* true, false and numbers are themselves; everything else is a string. */
static json_t *value_of(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	/* The parser passes over blanks, which belong to a string. */
	bool plain = text[0] == '-' || isalnum((unsigned char)text[0]);
	size_t bytes = strlen(text);

	if (plain && (json_is_number(value) || json_is_boolean(value)) &&
	    !isspace((unsigned char)text[bytes - 1]))
		return value;
	json_decref(value);
	return json_string(text);
}

static int add_word(json_t *request, const char *word, struct uc_diag *diag)
{
	const char *eq = strchr(word, '=');
	char key[64];
	json_t *value;

	if (!eq || eq == word || (size_t)(eq - word) >= sizeof(key))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s: arguments of an op are given as KEY=VALUE%s", word,
			       word[0] == '-' ? ", and options before the machine's name" : "");
	memcpy(key, word, (size_t)(eq - word));
	key[eq - word] = '\0';
	if (json_object_get(request, key))
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL, "%s is given twice",
			       strcmp(key, "op") ? key : "the op");
	value = value_of(eq + 1);
	if (!value || json_object_set_new(request, key, value))
		return uc_fail(diag, UC_EXIT_USAGE, EILSEQ, "%s is not UTF-8", word);
	return 0;
}

static int make_request(json_t *request, int argc, char **argv, struct uc_diag *diag)
{
	int rc = 0;

	if (argc < 2)
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "give a machine's name and an op, such as `upcall ctl guest "
			       "status`; `upcall list` shows the machines");
	if (argv[1][0] == '-')
		return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
			       "%s: give options before the machine's name", argv[1]);
	if (json_object_set_new(request, "op", json_string(argv[1])))
		return uc_fail(diag, UC_EXIT_USAGE, EILSEQ, "%s is not UTF-8", argv[1]);
	for (int i = 2; i < argc && !rc; i++)
		rc = add_word(request, argv[i], diag);
	return rc;
}

static int run(int argc, char **argv, int *status, struct uc_diag *diag)
{
	json_t *request = json_object(), *result = NULL;
	int rc = make_request(request, argc, argv, diag);

	(void)status;
	if (!rc)
		rc = uc_ctl_ask_once(argv[0], request, &result, diag);
	if (!rc)
		rc = uc_show(result, as_json, diag);
	json_decref(request);
	json_decref(result);
	return rc;
}

const struct uc_command uc_cmd_ctl = {
	.name = "ctl",
	.args = "NAME OP [KEY=VALUE]...",
	.summary = "ask a running machine, or change it",
	.details = "Machines are started by the same user; `upcall list` shows them. The ops:\n"
		   "\n"
		   "  status                     what it is, counters per vCPU, the network card\n"
		   "  ports [from=N] [count=N]   its event channels\n"
		   "  version                    of the program that runs it, and its ops\n"
		   "  policy policy=NAME [port=N]    where events go: pinned, follow, ...\n"
		   "  affinity vcpus=LIST [port=N]   the vCPUs that they may go to\n"
		   "  priority port=N priority=N     0, the highest, to 15\n"
		   "  boost when=WHEN            CPU time for events: follow, never, always\n"
		   "  quit                       end it at once, as Ctrl-A x does\n"
		   "\n"
		   "Status 40: no such machine, or it refused.",
	.opts = opts,
	.rest_is_command = true,
	.run = run,
};
