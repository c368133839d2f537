/* SPDX-License-Identifier: MIT */
/*
 * The shuffle test's driver; lab.sh runs it beside the machine. Changes policies, affinities,
 * priorities and the guest's CPUs at random while the traffic of traffic.c runs, in rounds, and
 * checks every refusal. After each round all is silent, the guest's and the library's counters are
 * printed, and one line of JSON here says what may have happened; shuffle.py compares them.
 *
 *     driver MACHINE SECONDS SEED
 *
 * The rounds: "shuffle" changes everything. "confined" gives each port a set, and changes all but
 * the sets. "pinned" changes nothing under full load. "single" changes nothing, under any policy,
 * with one request at a time.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/guest/shuffle/shared.h"
#include "tests/guest/shuffle/traffic.h"
#include "vmm/ctl/client.h"

#define CPUS	  4
#define ALL	  ((1u << CPUS) - 1)
#define PORTS_MAX 256

enum cpu { LIVE, CHANGING, DEAD };

struct port {
	bool here;
	bool moves;	  /* per-OS */
	uint32_t vcpu;	  /* of the others */
	uint32_t set;	  /* its own; 0: the machine's */
	uint32_t allowed; /* where events may have gone in this round */
};

static struct uc_ctl_client machine;
static struct port ports[PORTS_MAX]; /* by number */
static uint32_t nr_ports;	     /* highest number + 1 */
static enum cpu cpus[CPUS];
static uint32_t machine_set = ALL, toggled; /* CPUs that went off or on in this round */
static unsigned int tag, ops, refused;
static int changing = -1; /* the CPU, until the guest answers */
static bool to_online, busy;

static const char *const policies[] = {"pinned", "follow", "round-robin", "random"};

/* ---- the control socket ---- */

static json_t *ask(json_t *request, int *err)
{
	struct uc_diag diag = {0};
	json_t *result = NULL;
	int rc = uc_ctl_ask(&machine, request, &result, &diag);

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
	int rc = uc_ctl_ask(&machine, request, &result, &diag);

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

/* Nothing that can move waits for the guest. */
static bool is_quiet(void)
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

static uint32_t random_port(bool moves)
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

static void change_policy(uint32_t port)
{
	const char *policy = policies[random_below(4)];

	if (!port)
		expect(json_pack("{ssss}", "op", "policy", "policy", policy), 0, NULL);
	else
		expect(json_pack("{sssssi}", "op", "policy", "policy",
				 random_below(4) ? policy : "default", "port", (int)port),
		       0, NULL);
}

/* port == 0: the machine's. A CPU that is on its way off or on may count as either. */
static void change_set(uint32_t port, uint32_t set)
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

static void drop_set(uint32_t port)
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

static void change_priority(bool moves)
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

static void ask_what_is_refused(void)
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

static void toggle_cpu(uint32_t cpu)
{
	to_online = cpus[cpu] == DEAD;
	changing = (int)cpu;
	cpus[cpu] = CHANGING;
	toggled |= 1u << cpu;
	note_allowed(false);
	traffic_command("%s %u", to_online ? "online" : "offline", cpu);
}

/* The guest has answered. */
static void toggled_cpu(const char *answer)
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

/* ---- time ---- */

static void turn_until(uint64_t end_ns)
{
	while (traffic_turn() < end_ns)
		if (changing >= 0 && traffic_answer())
			toggled_cpu(traffic_answer());
}

static void turn_ms(uint32_t n)
{
	turn_until(traffic_turn() + n * 1000000ull);
}

static void finish_toggle(void)
{
	while (changing >= 0)
		turn_ms(1);
}

static void wait_for_answer(const char *want)
{
	while (!traffic_answer())
		traffic_turn();
	if (strcmp(traffic_answer(), want))
		fail("the guest says: %s", traffic_answer());
}

/* ---- rounds ---- */

static void set_load(enum traffic_load load)
{
	finish_toggle();
	traffic_command("load %d", load == LOAD_FULL);
	traffic_set_load(load);
	wait_for_answer("ok");
	while (load == LOAD_NONE && !traffic_is_idle())
		traffic_turn();
}

static void set_busy(bool on)
{
	finish_toggle();
	busy = on;
	traffic_command("busy %d", on);
	wait_for_answer("ok");
}

static void pause_load(void)
{
	set_load(LOAD_NONE);
	turn_ms(random_below(400));
	set_load(LOAD_FULL);
}

static void change_something(bool sets_too)
{
	switch (random_below(sets_too ? 18 : 12)) {
	case 0 ... 1:
		change_policy(0);
		break;
	case 2 ... 4:
		change_policy(random_port(true));
		break;
	case 5 ... 6:
		change_priority(true);
		break;
	case 7:
		change_priority(false);
		break;
	case 8:
		ask_what_is_refused();
		break;
	case 9 ... 10:
		if (changing < 0)
			toggle_cpu(random_below(20) ? 1 + random_below(CPUS - 1) : 0);
		break;
	case 11:
		if (!random_below(4))
			pause_load();
		else if (!random_below(2))
			set_busy(!busy);
		break;
	case 12 ... 13:
		change_set(0, 1 + random_below(ALL));
		break;
	case 14 ... 16:
		change_set(random_port(true), 1 + random_below(ALL));
		break;
	default:
		drop_set(random_below(3) ? random_port(true) : 0);
	}
}

static void change_for(uint32_t seconds, bool sets_too)
{
	uint64_t end_ns = traffic_turn() + seconds * 1000000000ull;

	set_load(LOAD_FULL);
	while (traffic_turn() < end_ns) {
		change_something(sets_too);
		turn_ms(10 + random_below(100));
	}
	finish_toggle();
	for (uint32_t i = 0; i < CPUS; i++) {
		if (cpus[i] == DEAD)
			toggle_cpu(i);
		finish_toggle();
	}
	set_load(LOAD_NONE);
}

static void set_policy(const char *policy)
{
	expect(json_pack("{ssss}", "op", "policy", "policy", policy), 0, NULL);
}

/* When it is answered, no handler runs that began before it. */
static void single(void)
{
	while (!is_quiet())
		traffic_turn();
	traffic_single();
	while (!traffic_is_idle())
		traffic_turn();
}

/*
 * One request at a time, and none while an interrupt of the card is being handled. What is said
 * before and after, over TCP, is several packets at once: that goes under "pinned", where an
 * interrupt cannot arrive on one CPU while another handles the last.
 */
static void single_for(uint32_t seconds, const char *policy)
{
	uint64_t end_ns = traffic_turn() + seconds * 1000000000ull;

	turn_ms(500); /* longer than TCP's last acknowledgement is put off */
	single();
	set_policy(policy);
	while (traffic_turn() < end_ns)
		single();
	set_policy("pinned");
	single();
}

static void show_round(const char *kind, const char *policy)
{
	struct traffic_counts counts = traffic_counts();
	json_t *allowed = json_object();
	char number[12];

	for (uint32_t i = 1; i < nr_ports; i++) {
		snprintf(number, sizeof(number), "%u", i);
		if (ports[i].moves)
			json_object_set_new(allowed, number, json_integer(ports[i].allowed));
	}
	json_dumpf(json_pack("{ss ss si so si si si sI sI sI}", "round", kind, "policy", policy,
			     "tag", (int)tag, "allowed", allowed, "toggled", (int)toggled, "ops",
			     (int)ops, "refused", (int)refused, "pings", (json_int_t)counts.pings,
			     "bulk_bytes", (json_int_t)counts.bulk_bytes, "from_guest",
			     (json_int_t)counts.from_guest),
		   stdout, JSON_COMPACT);
	printf("\n");
	fflush(stdout);
}

static void end_round(const char *kind, const char *policy)
{
	traffic_command("counters %u", tag);
	wait_for_answer("ok");
	/* Silent from here on; the answer after it is not asked for. */
	traffic_expect_answer();
	wait_for_answer("ok");
	show_round(kind, policy);
	tag = (tag + 2 * LOOKS) % 256;
	toggled = 0;
	learn_ports();
	note_allowed(true);
}

/*
 * Every port under the machine's policy, in its own random set or in none. A round of its own, so
 * that the next one begins with nothing left of what was.
 */
static void begin_still(const char *policy, bool sets)
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
	end_round("still", policy);
}

static void round_of(unsigned int number)
{
	const char *policy = policies[random_below(4)];

	set_busy(random_below(2));
	switch (number % 4) {
	case 0:
		change_for(7, true);
		return end_round("shuffle", "any");
	case 1:
		begin_still(policy, true);
		change_for(5, false);
		return end_round("confined", "any");
	case 2:
		begin_still("pinned", false);
		set_load(LOAD_FULL);
		turn_ms(2000);
		set_load(LOAD_NONE);
		return end_round("pinned", "pinned");
	default:
		begin_still("pinned", random_below(2));
		single_for(3, policy);
		return end_round("single", policy);
	}
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

int main(int argc, char **argv)
{
	struct uc_diag diag = {0};
	time_t end;

	if (argc != 4)
		fail("usage: driver MACHINE SECONDS SEED");
	if (uc_ctl_connect(&machine, argv[1], &diag))
		fail("%s", diag.text);
	traffic_open(strtoull(argv[3], NULL, 0));
	learn_ports();
	check_card();
	note_allowed(true);
	end = time(NULL) + (time_t)strtoull(argv[2], NULL, 0);
	end_round("start", "any");
	for (unsigned int number = 0; time(NULL) < end || number < 4; number++)
		round_of(number);
	traffic_command("poweroff");
	printf("done\n");
	return 0;
}
