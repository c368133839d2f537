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
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/guest/shuffle/machine.h"
#include "tests/guest/shuffle/shared.h"
#include "tests/guest/shuffle/traffic.h"

static unsigned int tag;
static bool busy;

/* ---- time ---- */

static void turn_until(uint64_t end_ns)
{
	while (traffic_turn() < end_ns)
		if (is_toggling() && traffic_answer())
			toggled_cpu(traffic_answer());
}

static void turn_ms(uint32_t n)
{
	turn_until(traffic_turn() + n * 1000000ull);
}

static void finish_toggle(void)
{
	while (is_toggling())
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
		if (!is_toggling())
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
		if (cpu_is_dead(i))
			toggle_cpu(i);
		finish_toggle();
	}
	set_load(LOAD_NONE);
}

/* When it is answered, no handler runs that began before it. */
static void single(void)
{
	while (!machine_is_quiet())
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
	struct machine_round round = machine_round();

	json_dumpf(json_pack("{ss ss si so si si si sI sI sI}", "round", kind, "policy", policy,
			     "tag", (int)tag, "allowed", round.allowed, "toggled",
			     (int)round.toggled, "ops", (int)round.ops, "refused",
			     (int)round.refused, "pings", (json_int_t)counts.pings, "bulk_bytes",
			     (json_int_t)counts.bulk_bytes, "from_guest",
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
	machine_next_round();
}

/* A round of its own, so that the next one begins with nothing left of what was. */
static void begin_still(const char *policy, bool sets)
{
	settle(policy, sets);
	end_round("still", policy);
}

static void round_of(unsigned int number)
{
	const char *policy = random_policy();

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

int main(int argc, char **argv)
{
	time_t end;

	if (argc != 4)
		fail("usage: driver MACHINE SECONDS SEED");
	traffic_open(strtoull(argv[3], NULL, 0));
	machine_open(argv[1]);
	end = time(NULL) + (time_t)strtoull(argv[2], NULL, 0);
	end_round("start", "any");
	for (unsigned int number = 0; time(NULL) < end || number < 4; number++)
		round_of(number);
	traffic_command("poweroff");
	printf("done\n");
	return 0;
}
