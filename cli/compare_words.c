/* SPDX-License-Identifier: MIT */
/*
 * Words of `upcall compare`: the lists it is given, and the command lines it makes of what was
 * asked for: the child's, and the one that the report shows. Called by compare.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/compare.h"
#include "vmm/routing.h"

#define WORD_MAX UC_COMPARE_WORD_MAX

/* ---- lists ---- */

/* The next word of a comma-separated list; NULL at its end, "" for one that is too long. */
static const char *next_word(const char **list, char word[WORD_MAX])
{
	size_t len = strcspn(*list, ",");

	if (!**list)
		return NULL;
	snprintf(word, WORD_MAX, "%.*s", len < WORD_MAX ? (int)len : 0, *list);
	*list += len + ((*list)[len] == ',');
	return word;
}

static int parse_policies(struct uc_compare_config *config, const char *list, struct uc_diag *diag)
{
	const char *at = list;
	char word[WORD_MAX];
	enum uc_boost_when boost;
	enum uc_policy policy;

	for (int n = 0; next_word(&at, word); n++) {
		if (uc_compare_policy_parse(word, &policy, &boost) || n == UC_COMPARE_POLICIES_MAX)
			return uc_fail(
				diag, UC_EXIT_USAGE, EINVAL,
				"--policies %s: give up to %d of pinned, follow, round-robin, "
				"random, each with +boost or -boost behind it or neither",
				list, UC_COMPARE_POLICIES_MAX);
		for (int i = 0; i < n; i++)
			if (!strcmp(config->policies[i], word))
				return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
					       "--policies %s: %s is there twice", list, word);
		config->policies[n] = strcpy(config->policy_words[n], word);
	}
	return config->policies[0] ? 0
				   : uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--policies: none given");
}

static int parse_probes(struct uc_compare_config *config, const char *list, struct uc_diag *diag)
{
	const char *at = list;
	char word[WORD_MAX];
	bool any = false;

	while (next_word(&at, word)) {
		int probe = 0;

		while (probe < UC_PROBES && strcmp(word, uc_probe_name((enum uc_probe)probe)))
			probe++;
		if (probe == UC_PROBES)
			return uc_fail(diag, UC_EXIT_USAGE, EINVAL,
				       "--probes %s: give some of icmp, task, tcp, http", list);
		config->probes[probe] = any = true;
	}
	return any ? 0 : uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--probes: none given");
}

int uc_compare_parse_words(struct uc_compare_asked *asked, struct uc_diag *diag)
{
	int rc = parse_policies(&asked->config, asked->policies, diag);

	if (!rc)
		rc = parse_probes(&asked->config, asked->probes, diag);
	if (!rc && strcmp(asked->load, "busy") && strcmp(asked->load, "idle"))
		rc = uc_fail(diag, UC_EXIT_USAGE, EINVAL, "--load %s: give busy or idle",
			     asked->load);
	asked->config.idle = !strcmp(asked->load, "idle");
	return rc;
}

/* ---- command lines ---- */

static void __attribute__((format(printf, 2, 3)))
add(struct uc_compare_line *line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line->text[line->count], sizeof(line->text[0]), fmt, ap);
	va_end(ap);
	line->argv[line->count] = line->text[line->count];
	line->argv[++line->count] = NULL;
}

static void add_number(struct uc_compare_line *line, const char *option, unsigned int value)
{
	add(line, "--%s", option);
	add(line, "%u", value);
}

static void add_text(struct uc_compare_line *line, const char *option, const char *value)
{
	add(line, "--%s", option);
	add(line, "%s", value);
}

void uc_compare_make_line(struct uc_compare_line *line, const struct uc_compare_asked *asked,
			  bool lab)
{
	const struct uc_compare_config *config = &asked->config;

	add(line, "upcall");
	if (lab) {
		add(line, "lab");
		add_number(line, "cpus", config->host_cpus + config->io_cpus);
		add(line, "--virtual-time");
	}
	add(line, "compare");
	add(line, "--measure");
	add_text(line, "where", lab ? "lab" : "native");
	add_text(line, "kernel", config->kernel);
	add_text(line, "initrd", config->initrd);
	add_text(line, "load", asked->load);
	add_text(line, "policies", asked->policies);
	add_text(line, "probes", asked->probes);
	add_number(line, "cpus", config->vcpus);
	add_number(line, "host-cpus", config->host_cpus);
	add_number(line, "io-cpus", config->io_cpus);
	add_number(line, "slice", config->slice_ms);
	add_number(line, "boost", config->boost_us);
	add_number(line, "competitors", config->competitors);
	if (config->quota_percent)
		add_number(line, "quota", config->quota_percent);
	add_number(line, "rate", config->rate_hz);
	add_number(line, "seconds", config->seconds);
	add_number(line, "window", config->window_ms);
	add_number(line, "seed", config->seed);
	add(line, "--memory");
	add(line, "%lluM", (unsigned long long)(config->memory_bytes >> 20));
}

void uc_compare_describe(const struct uc_compare_asked *asked, char *text, size_t size)
{
	const struct uc_compare_config *config = &asked->config;
	int n = snprintf(
		text, size,
		"upcall compare --cpus %u --host-cpus %u --io-cpus %u --competitors %u --load %s "
		"--policies %s --probes %s --rate %u --seconds %u --window %u --seed %u --slice %u "
		"--boost %u",
		config->vcpus, config->host_cpus, config->io_cpus, config->competitors, asked->load,
		asked->policies, asked->probes, config->rate_hz, config->seconds, config->window_ms,
		config->seed, config->slice_ms, config->boost_us);

	if (config->quota_percent && n > 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, " --quota %u", config->quota_percent);
}
