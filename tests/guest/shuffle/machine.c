/* SPDX-License-Identifier: MIT */
#include "tests/guest/shuffle/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/shuffle/traffic.h"
#include "vmm/ctl/client.h"

#define PORTS_MAX 256

enum cpu { LIVE, CHANGING, DEAD };

struct port {
	bool here;
	bool moves;	  /* per-OS */
	uint32_t vcpu;	  /* of the others */
	uint32_t set;	  /* its own; 0: the machine's */
	uint32_t allowed; /* where events may have gone in this round */
};

static struct uc_ctl_client ctl;
static struct port ports[PORTS_MAX]; /* by number */
static uint32_t nr_ports;	     /* highest number + 1 */
static enum cpu cpus[CPUS];
static uint32_t machine_set = ALL, toggled; /* CPUs that went off or on in this round */
static unsigned int ops, refused;
static int changing = -1; /* the CPU, until the guest answers */
static bool to_online;

static const char *const policies[] = {"pinned", "follow", "round-robin", "random"};

const char *random_policy(void)
{
	return policies[random_below(4)];
}

/* ---- the control socket ---- */

static json_t *ask(json_t *request, int *err)
{
	struct uc_diag diag = {0};
	json_t *result = NULL;
	int rc = uc_ctl_ask(&ctl, request, &result, &diag);

	json_decref(request);
	ops++;
	if (err)
		*err = -rc;
	else if (rc)
		fail("ctl: %s", diag.text);
	return result;
}

/* An op that must be done, or must be refused with `err` and a line that has `text` in it. */
static void expect(json_t *request, int err, const char *text)
{
	char *shown = json_dumps(request, JSON_COMPACT);
	struct uc_diag diag = {0};
	json_t *result = NULL;
	int rc = uc_ctl_ask(&ctl, request, &result, &diag);

	ops++;
	refused += err != 0;
	if (rc != -err || (err && !strstr(diag.text, text)))
		fail("%s: %s (%s), wanted: %s", shown, rc ? diag.text : "done", strerror(-rc),
		     err ? text : "done");
	free(shown);
	json_decref(request);
	json_decref(result);
}

static void learn_port(const json_t *row)
{
	json_int_t number = json_integer_value(json_object_get(row, "port"));
	const char *kind = json_string_value(json_object_get(row, "kind"));
	struct port *p = &ports[number];

	if (number >= PORTS_MAX)
		fail("port %lld is beyond what this test keeps", (long long)number);
	if (number >= nr_ports)
		nr_ports = (uint32_t)number + 1;
	p->here = true;
	p->moves = !strcmp(kind, "host");
	p->vcpu = (uint32_t)json_integer_value(json_object_get(row, "vcpu"));
}

static json_t *list_ports(void)
{
	return ask(json_pack("{ss}", "op", "ports"), NULL);
}

static void learn_ports(void)
{
	json_t *result = list_ports();
	const json_t *row;
	size_t i;

	for (uint32_t port = 0; port < nr_ports; port++)
		ports[port].here = false;
	json_array_foreach(json_object_get(result, "ports"), i, row) learn_port(row);
	json_decref(result);
}

bool machine_is_quiet(void)
{
	json_t *result = list_ports();
	const json_t *row;
	bool quiet = true;
	size_t i;

	json_array_foreach(
		json_object_get(result, "ports"), i,
		row) if (!strcmp(json_string_value(json_object_get(row, "kind")), "host"))
		quiet &= !json_is_true(json_object_get(row, "pending"));
	json_decref(result);
	return quiet;
}

/* ---- where events may go ---- */

static uint32_t cpus_that_are(enum cpu state)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < CPUS; i++)
		mask |= (uint32_t)(cpus[i] == state) << i;
	return mask;
}

/* After every change of a set or a CPU. With its whole set offline a port goes where the guest
 * wants. */
static void note_allowed(bool afresh)
{
	for (uint32_t i = 0; i < nr_ports; i++) {
		uint32_t set = ports[i].set ? ports[i].set : machine_set;

		if (afresh)
			ports[i].allowed = 0;
		ports[i].allowed |= set & cpus_that_are(LIVE) ? set : ALL;
	}
}

uint32_t random_port(bool moves)
{
	uint32_t port;

	do
		port = 1 + random_below(nr_ports - 1);
	while (!ports[port].here || ports[port].moves != moves);
	return port;
}

static const char *list_of(uint32_t mask)
{
	static char text[4 * CPUS];
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < CPUS; i++)
		if (mask & (1u << i))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u",
						 used ? "," : "", i);
	return text;
}

/* ---- what is changed ---- */

void change_policy(uint32_t port)
{
	const char *policy = random_policy();

	if (!port)
		expect(json_pack("{ssss}", "op", "policy", "policy", policy), 0, NULL);
	else
		expect(json_pack("{sssssi}", "op", "policy", "policy",
				 random_below(4) ? policy : "default", "port", (int)port),
		       0, NULL);
}

/* A CPU that is on its way off or on may count as either. */
void change_set(uint32_t port, uint32_t set)
{
	json_t *request = json_pack("{ssss}", "op", "affinity", "vcpus", list_of(set));
	bool is_dead = !(set & cpus_that_are(LIVE));

	if (port)
		json_object_set_new(request, "port", json_integer(port));
	if (is_dead && set & cpus_that_are(CHANGING)) {
		json_decref(request);
		return;
	}
	expect(request, is_dead ? ENODEV : 0, "none of these vCPUs is online in the guest");
	if (is_dead)
		return;
	if (port)
		ports[port].set = set;
	else
		machine_set = set;
	note_allowed(false);
}

void drop_set(uint32_t port)
{
	json_t *request = json_pack("{ssss}", "op", "affinity", "vcpus", "all");

	if (port)
		json_object_set_new(request, "port", json_integer(port));
	expect(request, 0, NULL);
	if (port)
		ports[port].set = 0;
	else
		machine_set = ALL;
	note_allowed(false);
}

void change_priority(bool moves)
{
	/* The ports of a CPU that is not quite there may be closed; new ones have other numbers. */
	if (!moves && cpus_that_are(LIVE) != ALL)
		return;
	if (!moves && toggled)
		learn_ports();
	expect(json_pack("{sssisi}", "op", "priority", "port", (int)random_port(moves), "priority",
			 (int)random_below(16)),
	       0, NULL);
}

void ask_what_is_refused(void)
{
	static const char cannot_move[] = "is free, or belongs to one vCPU (an IPI or a timer) and "
					  "cannot move";
	int port = (int)random_port(false);

	expect(json_pack("{sssssi}", "op", "affinity", "vcpus", "0", "port", port), EINVAL,
	       cannot_move);
	expect(json_pack("{sssssi}", "op", "policy", "policy", "follow", "port", port), EINVAL,
	       cannot_move);
	expect(json_pack("{ssss}", "op", "affinity", "vcpus", ""), EINVAL,
	       "vcpus: give all, or a list such as 0,2-3 of vCPUs 0 to 3");
	expect(json_pack("{sssisi}", "op", "priority", "port", 1, "priority", 16), EINVAL,
	       "priority: give a whole number from 0 to 15");
}

void toggle_cpu(uint32_t cpu)
{
	to_online = cpus[cpu] == DEAD;
	changing = (int)cpu;
	cpus[cpu] = CHANGING;
	toggled |= 1u << cpu;
	note_allowed(false);
	traffic_command("%s %u", to_online ? "online" : "offline", cpu);
}

bool is_toggling(void)
{
	return changing >= 0;
}

bool cpu_is_dead(uint32_t cpu)
{
	return cpus[cpu] == DEAD;
}

void toggled_cpu(const char *answer)
{
	bool is_done = !strcmp(answer, "ok");

	/* CPU 0 has no switch in these kernels. */
	if (changing ? !is_done : is_done)
		fail("CPU %d %s: %s", changing, to_online ? "online" : "offline", answer);
	if (!changing)
		toggled &= ~1u;
	cpus[changing] = is_done && !to_online ? DEAD : LIVE;
	changing = -1;
	note_allowed(false);
}

void set_policy(const char *policy)
{
	expect(json_pack("{ssss}", "op", "policy", "policy", policy), 0, NULL);
}

/* ---- rounds ---- */

void settle(const char *policy, bool sets)
{
	set_policy(policy);
	drop_set(0);
	for (uint32_t i = 1; i < nr_ports; i++) {
		if (!ports[i].moves)
			continue;
		expect(json_pack("{sssssi}", "op", "policy", "policy", "default", "port", (int)i),
		       0, NULL);
		if (sets)
			change_set(i, 1 + random_below(ALL));
		else
			drop_set(i);
	}
}

struct machine_round machine_round(void)
{
	struct machine_round round = {
		.allowed = json_object(), .toggled = toggled, .ops = ops, .refused = refused};
	char number[12];

	for (uint32_t i = 1; i < nr_ports; i++) {
		snprintf(number, sizeof(number), "%u", i);
		if (ports[i].moves)
			json_object_set_new(round.allowed, number, json_integer(ports[i].allowed));
	}
	return round;
}

void machine_next_round(void)
{
	toggled = 0;
	learn_ports();
	note_allowed(true);
}

/* The card's ports are there when the guest can be talked to: `status` must know both. */
static void check_card(void)
{
	json_t *status = ask(json_pack("{ss}", "op", "status"), NULL);
	const json_t *queues = json_object_get(json_object_get(status, "net"), "queues");

	if (json_array_size(queues) != CPUS)
		fail("status tells of %zu queues, the guest has %d", json_array_size(queues), CPUS);
	for (size_t i = 0; i < json_array_size(queues); i++) {
		const json_t *queue = json_array_get(queues, i);
		json_int_t tx = json_integer_value(json_object_get(queue, "tx_port"));
		json_int_t rx = json_integer_value(json_object_get(queue, "rx_port"));

		if (tx <= 0 || rx <= 0 || tx >= nr_ports || rx >= nr_ports || !ports[tx].moves ||
		    !ports[rx].moves)
			fail("status: queue %zu has the ports %lld and %lld", i, (long long)tx,
			     (long long)rx);
	}
	json_decref(status);
}

void machine_open(const char *name)
{
	struct uc_diag diag = {0};

	if (uc_ctl_connect(&ctl, name, &diag))
		fail("%s", diag.text);
	learn_ports();
	check_card();
	note_allowed(true);
}
