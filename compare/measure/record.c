/* SPDX-License-Identifier: MIT */
#include "compare/measure/record.h"

#include <string.h>
#include <sys/utsname.h>

#include "compare/initrd.h"

#define SAMPLES_PER_LINE 200

static const char *const probe_names[UC_PROBES] = {"icmp", "task", "tcp", "http"};

const char *uc_probe_name(enum uc_probe probe)
{
	return probe_names[probe];
}

static void put(FILE *out, json_t *record)
{
	json_dumpf(record, out, JSON_COMPACT);
	fputc('\n', out);
	fflush(out);
	json_decref(record);
}

/* ---- about ---- */

static void describe_host(char *text, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256], model[128] = "?";
	struct utsname uts;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "model name : %127[^\n]", model) == 1)
			break;
	if (file)
		fclose(file);
	uname(&uts);
	snprintf(text, size, "%s, Linux %s", model, uts.release);
}

static json_t *policies(const struct uc_compare_config *config)
{
	json_t *names = json_array();

	for (int i = 0; config->policies[i]; i++)
		json_array_append_new(names, json_string(config->policies[i]));
	return names;
}

static json_t *probes(const struct uc_compare_config *config)
{
	json_t *names = json_array();

	for (int i = 0; i < UC_PROBES; i++)
		if (config->probes[i])
			json_array_append_new(names, json_string(probe_names[i]));
	return names;
}

void uc_record_about(FILE *out, const struct uc_compare_config *config)
{
	char release[128], host[320];

	uc_compare_release(config->kernel, release, sizeof(release));
	describe_host(host, sizeof(host));
	put(out,
	    json_pack("{s{ss si si si si ss si si si si si so so ss ss ss}}", "about", "kernel",
		      release, "vcpus", (int)config->vcpus, "host_cpus", (int)config->host_cpus,
		      "competitors", (int)config->competitors, "competitor_vcpus",
		      (int)config->vcpus, "load", config->idle ? "idle" : "busy", "quota_percent",
		      (int)config->quota_percent, "rate_hz", (int)config->rate_hz, "window_ms",
		      (int)config->window_ms, "seconds", (int)config->seconds, "seed",
		      (int)config->seed, "policies", policies(config), "probes", probes(config),
		      "where", config->where, "host", host, "version", config->version));
}

/* ---- the run ---- */

void uc_record_progress(FILE *out, const char *text, uint64_t done_ms, uint64_t total_ms)
{
	put(out, json_pack("{s{ss sI sI}}", "progress", "text", text, "done_ms",
			   (json_int_t)done_ms, "total_ms", (json_int_t)total_ms));
}

void uc_record_notice(FILE *out, const char *text)
{
	put(out, json_pack("{ss}", "notice", text));
}

void uc_record_window(FILE *out, const struct uc_window_record *w)
{
	put(out, json_pack("{s{sI ss ss sI sI sI sI sI sI sO sO sI sI}}", "window", "id",
			   (json_int_t)w->id, "phase", w->load ? "load" : "idle", "policy",
			   w->policy, "start_us", (json_int_t)(w->start_ns / 1000), "end_us",
			   (json_int_t)(w->end_ns / 1000), "vcpu_cpu_us",
			   (json_int_t)(w->target.vcpu_ns / 1000), "vmm_cpu_us",
			   (json_int_t)(w->target.other_ns / 1000), "competitor_cpu_us",
			   (json_int_t)((w->competitors.vcpu_ns + w->competitors.other_ns) / 1000),
			   "work", (json_int_t)w->work, "upcalls", w->upcalls, "events", w->events,
			   "handed_over", (json_int_t)w->handed_over, "watch_looks",
			   (json_int_t)w->watch_looks));
}

static uint32_t probe_index(const struct uc_echo *echo, uint32_t probe)
{
	uint32_t i = 0;

	while (i < echo->nr_probes && echo->probes[i] != probe)
		i++;
	return i;
}

void uc_record_samples(FILE *out, const struct uc_echo *echo, uint32_t from, uint64_t start_ns)
{
	while (from < echo->nr_samples) {
		json_t *list = json_array();

		for (int n = 0; n < SAMPLES_PER_LINE && from < echo->nr_samples; n++, from++) {
			const struct uc_echo_sample *s = &echo->samples[from];
			bool lost = s->latency_ns == UC_ECHO_NO_ANSWER;

			json_array_append_new(
				list, json_pack("[iiII]", (int)s->window,
						(int)probe_index(echo, s->probe),
						(json_int_t)((s->sent_ns - start_ns) / 1000),
						(json_int_t)(lost ? -1 : s->latency_ns / 1000)));
		}
		put(out, json_pack("{so}", "samples", list));
	}
}

void uc_record_end(FILE *out, const struct uc_echo *echo, const struct uc_machine *machines,
		   uint32_t nr_machines)
{
	json_t *problems = json_array();
	json_int_t lost = 0;

	for (uint32_t i = 0; i < echo->nr_samples; i++)
		lost += echo->samples[i].latency_ns == UC_ECHO_NO_ANSWER;
	for (uint32_t i = 0; i < nr_machines; i++)
		for (uint32_t n = 0; n < machines[i].nr_problems; n++)
			json_array_append_new(problems, json_string(machines[i].problems[n]));
	put(out, json_pack("{s{sI so}}", "end", "lost", lost, "guest_log_problems", problems));
}

void uc_record_error(FILE *out, const struct uc_diag *diag)
{
	put(out, json_pack("{s{si ss}}", "error", "status", diag->status, "text", diag->text));
}
