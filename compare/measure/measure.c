/* SPDX-License-Identifier: MIT */
/*
 * The course of a comparison: a network of its own, the guests, the idle windows (the floor), the
 * windows under load, the end. In each round of windows every policy has one, in random order, and
 * no request crosses from one window into the next.
 */
#include "compare/measure/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compare/measure/echo.h"
#include "compare/measure/host.h"
#include "compare/measure/machine.h"
#include "compare/measure/ports.h"
#include "compare/measure/record.h"

#define GUEST		"10.77.0.100"
#define BOOT_S		300 /* eight vCPUs that share one emulated CPU */
#define TELL_TRIES	100
#define TELL_WAIT_US	200000
#define COMPETITORS_MAX 8
#define IDLE_SHARE	5 /* one part in so many of the time is for the floor */
#define NS		1000000000ull

static const char *const addresses[UC_ECHO_SOURCES] = {
	"10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4",
	"10.77.0.5", "10.77.0.6", "10.77.0.7", "10.77.0.8",
};

struct run {
	const struct uc_compare_config *config;
	FILE *out;
	struct uc_machine machines[1 + COMPETITORS_MAX]; /* [0] is the target */
	uint32_t nr_machines, nr_windows, asked;
	struct uc_host_cpus cpus;
	struct uc_echo echo;
	int control;
	uint64_t begin_ns, random;
};

/* One look at everything that is counted. */
struct reading {
	struct uc_cpu_times target, competitors;
	uint64_t work, when_ns;
	json_t *status;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static int check_told(struct uc_diag *diag)
{
	return uc_host_told_to_stop() ? uc_fail(diag, UC_EXIT_INTERNAL, EINTR, "interrupted") : 0;
}

/* ---- the target's control port ---- */

static int open_control(struct run *r)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(UC_COMPARE_CONTROL_PORT)};
	struct timeval timeout = {.tv_usec = TELL_WAIT_US};

	inet_pton(AF_INET, GUEST, &to.sin_addr);
	r->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(r->control, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return connect(r->control, (struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

/* Say a word until its answer comes. *loops: what the busy tasks have done so far. */
static int tell(struct run *r, const char *word, uint64_t *loops, struct uc_diag *diag)
{
	char question[32], answer[96];

	snprintf(question, sizeof(question), "%s %u", word, ++r->asked);
	for (int i = 0; i < TELL_TRIES; i++) {
		size_t len = strlen(question);
		ssize_t n;

		if (check_told(diag))
			return -EINTR;
		(void)!write(r->control, question, len);
		while ((n = read(r->control, answer, sizeof(answer) - 1)) > 0) {
			answer[n] = '\0';
			if (strncmp(answer, question, len) || answer[len] != ' ')
				continue; /* of an earlier question */
			*loops = strtoull(answer + len, NULL, 10);
			return 0;
		}
	}
	return uc_fail(diag, UC_EXIT_INTERNAL, ETIMEDOUT,
		       "the guest does not answer; its last line: %s", r->machines[0].last);
}

/* ---- a window ---- */

static int take_reading(struct run *r, struct reading *reading, struct uc_diag *diag)
{
	memset(reading, 0, sizeof(*reading));
	reading->when_ns = now_ns() - r->begin_ns;
	reading->target = uc_host_cpu_times(r->machines[0].pid);
	for (uint32_t i = 1; i < r->nr_machines; i++) {
		struct uc_cpu_times t = uc_host_cpu_times(r->machines[i].pid);

		reading->competitors.vcpu_ns += t.vcpu_ns;
		reading->competitors.other_ns += t.other_ns;
	}
	if (tell(r, "work", &reading->work, diag))
		return -ETIMEDOUT;
	return uc_machine_ask(&r->machines[0], json_pack("{ss}", "op", "status"), &reading->status,
			      diag);
}

static struct uc_cpu_times cpu_between(struct uc_cpu_times a, struct uc_cpu_times b)
{
	return (struct uc_cpu_times){.vcpu_ns = b.vcpu_ns - a.vcpu_ns,
				     .other_ns = b.other_ns - a.other_ns};
}

static uint64_t number_in(const json_t *status, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(status, "watch"), key));
}

/* Of a list with a number per vCPU. */
static json_t *list_between(const json_t *a, const json_t *b, const char *key)
{
	const json_t *from = json_object_get(a, key), *to = json_object_get(b, key);
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(to); i++)
		json_array_append_new(list,
				      json_integer(json_integer_value(json_array_get(to, i)) -
						   json_integer_value(json_array_get(from, i))));
	return list;
}

static uint64_t sum_of(json_t *list)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		sum += (uint64_t)json_integer_value(json_array_get(list, i));
	json_decref(list);
	return sum;
}

static void report_window(struct run *r, bool load, const char *policy, const struct reading *a,
			  const struct reading *b)
{
	struct uc_window_record window = {
		.id = r->nr_windows,
		.load = load,
		.policy = policy,
		.start_ns = a->when_ns,
		.end_ns = b->when_ns,
		.target = cpu_between(a->target, b->target),
		.competitors = cpu_between(a->competitors, b->competitors),
		.work = b->work - a->work,
		.watch_looks = number_in(b->status, "looks") - number_in(a->status, "looks"),
		.handed_over = sum_of(list_between(a->status, b->status, "handed_over")),
		.upcalls = list_between(a->status, b->status, "upcalls"),
		.events = list_between(a->status, b->status, "events"),
	};

	uc_record_window(r->out, &window);
	json_decref(window.upcalls);
	json_decref(window.events);
}

int uc_compare_policy_parse(const char *word, enum uc_policy *policy, enum uc_boost_when *boost)
{
	size_t len = strcspn(word, "+"), all = strlen(word);
	char name[32];

	*boost = UC_BOOST_FOLLOW;
	if (!strcmp(word + len, "+boost"))
		*boost = UC_BOOST_ALWAYS;
	else if (all > 6 && !strcmp(word + (len = all - 6), "-boost"))
		*boost = UC_BOOST_NEVER;
	else
		len = all;
	if (len >= sizeof(name))
		return -EINVAL;
	memcpy(name, word, len);
	name[len] = '\0';
	return uc_policy_parse(name, policy);
}

static int set_policy(struct run *r, const char *policy, struct uc_diag *diag)
{
	enum uc_policy named = UC_POLICY_PINNED;
	enum uc_boost_when boost = UC_BOOST_FOLLOW;
	json_t *result = NULL;
	int rc;

	uc_compare_policy_parse(policy, &named, &boost); /* has been checked */
	rc = uc_machine_ask(&r->machines[0],
			    json_pack("{ss ss}", "op", "policy", "policy", uc_policy_name(named)),
			    &result, diag);
	json_decref(result);
	result = NULL;
	if (!rc)
		rc = uc_machine_ask(
			&r->machines[0],
			json_pack("{ss ss}", "op", "boost", "when", uc_boost_when_name(boost)),
			&result, diag);
	json_decref(result);
	return rc;
}

static int window(struct run *r, bool load, const char *policy, struct uc_diag *diag)
{
	struct reading before = {0}, after = {0};
	uint32_t from = r->echo.nr_samples;
	int rc = set_policy(r, policy, diag);

	if (!rc)
		rc = take_reading(r, &before, diag);
	if (!rc && uc_echo_window(&r->echo, r->nr_windows, r->config->window_ms * 1000000ull) &&
	    !(rc = check_told(diag)))
		rc = uc_fail(diag, UC_EXIT_INTERNAL, ENOMEM, "no memory for more samples");
	if (!rc)
		rc = take_reading(r, &after, diag);
	if (!rc) {
		report_window(r, load, policy, &before, &after);
		uc_record_samples(r->out, &r->echo, from, r->begin_ns);
		r->nr_windows++;
	}
	json_decref(before.status);
	json_decref(after.status);
	return rc;
}

/* Fisher and Yates; the policies are few. */
static void shuffle(struct run *r, const char **policies, uint32_t count)
{
	for (uint32_t i = count; i > 1; i--) {
		const char *last = policies[i - 1];
		uint32_t other;

		r->random = r->random * 6364136223846793005ull + 1442695040888963407ull;
		other = (uint32_t)(r->random >> 33) % i;
		policies[i - 1] = policies[other];
		policies[other] = last;
	}
}

/* Whole rounds until `end_ns` of the run, one at least. */
static int rounds(struct run *r, bool load, uint64_t end_ns, struct uc_diag *diag)
{
	const char *policies[UC_COMPARE_POLICIES_MAX];
	uint32_t count = 0;
	int rc = 0;

	for (; r->config->policies[count]; count++)
		policies[count] = r->config->policies[count];
	do {
		shuffle(r, policies, count);
		for (uint32_t i = 0; i < count && !rc; i++) {
			uc_record_progress(r->out, load ? "under load" : "the idle floor",
					   (now_ns() - r->begin_ns) / 1000000,
					   r->config->seconds * 1000ull);
			rc = check_told(diag);
			if (!rc)
				rc = window(r, load, policies[i], diag);
		}
	} while (!rc && now_ns() - r->begin_ns < end_ns);
	return rc;
}

/* ---- the course ---- */

static void signal_competitors(struct run *r, int signal)
{
	for (uint32_t i = 1; i < r->nr_machines; i++)
		kill(r->machines[i].pid, signal);
}

static int measure(struct run *r, struct uc_diag *diag)
{
	uint64_t loops, total_ns = r->config->seconds * NS;
	int rc = uc_echo_open(&r->echo, r->config, GUEST, addresses, diag);

	r->begin_ns = now_ns();
	if (!rc)
		rc = rounds(r, false, total_ns / IDLE_SHARE, diag);
	signal_competitors(r, SIGCONT);
	if (!rc && !r->config->idle)
		rc = tell(r, "busy", &loops, diag);
	if (!rc)
		rc = rounds(r, true, total_ns, diag);
	return rc;
}

static int start(struct run *r, const char *role, struct uc_diag *diag)
{
	bool target = !r->nr_machines;
	struct uc_machine_config config = {
		.compare = r->config,
		.role = role,
		.address = target ? GUEST : NULL,
		.number = r->nr_machines,
	};

	return uc_machine_start(&r->machines[r->nr_machines++], &config, diag);
}

/* Each competitor is stopped once it is up, so that the next one and the floor are alone. */
static int boot(struct run *r, struct uc_diag *diag)
{
	int rc = 0;

	for (unsigned int i = 0; i < 1 + r->config->competitors; i++) {
		char text[64];

		snprintf(text, sizeof(text), "booting guest %u of %u", i + 1,
			 1 + r->config->competitors);
		uc_record_progress(r->out, text, 0, r->config->seconds * 1000ull);
		rc = start(r, i ? "competitor" : "target", diag);
		if (!rc)
			rc = uc_machine_wait_ready(&r->machines[i], BOOT_S, diag);
		if (rc)
			break;
		uc_host_place(&r->cpus, r->machines[i].pid);
		if (i)
			kill(r->machines[i].pid, SIGSTOP);
	}
	if (!rc && r->config->quota_percent)
		rc = uc_host_set_quota(r->machines[0].pid, r->config->quota_percent, diag);
	return rc;
}

static int run_all(struct run *r, struct uc_diag *diag)
{
	int rc = boot(r, diag);

	if (!rc)
		rc = uc_host_set_addresses(UC_MACHINE_TAP, addresses, UC_ECHO_SOURCES, diag);
	if (!rc)
		rc = open_control(r);
	if (!rc && !uc_host_real_time())
		uc_record_notice(r->out, "no real-time priority: answers over TCP include the "
					 "waiting of the one who asks");
	if (!rc)
		rc = measure(r, diag);
	return rc;
}

/* In the reverse order of what was done; the guests are gone before their cgroup is. */
static void put_back(struct run *r)
{
	for (uint32_t i = r->nr_machines; i > 0; i--)
		uc_machine_stop(&r->machines[i - 1]);
	uc_host_drop_quota();
}

int uc_compare_measure(const struct uc_compare_config *config, FILE *out, struct uc_diag *diag)
{
	struct run *r = calloc(1, sizeof(*r));
	struct uc_diag interrupted = {0};
	int rc;

	if (!r)
		return -ENOMEM;
	*r = (struct run){.config = config, .out = out, .control = -1, .random = config->seed};
	r->echo.epoll_fd = -1;
	uc_host_catch_signals();
	uc_record_about(out, config);
	rc = uc_host_take_cpus(&r->cpus, config->host_cpus, config->io_cpus, diag);
	if (!rc)
		rc = uc_host_own_network(diag);
	if (!rc)
		rc = run_all(r, diag);
	/* Ctrl-C also ends the guests, which is then the first thing that is noticed. */
	if (rc && check_told(&interrupted)) {
		rc = -EINTR;
		*diag = interrupted;
	}
	put_back(r);
	if (rc)
		uc_record_error(out, diag);
	else
		uc_record_end(out, &r->echo, r->machines, r->nr_machines);
	if (r->echo.epoll_fd >= 0)
		uc_echo_close(&r->echo);
	if (r->control >= 0)
		close(r->control);
	free(r);
	return rc;
}
