/* SPDX-License-Identifier: MIT */
/*
 * The explorer: runs interleavings of the library's own code.
 *
 *   explore [--list] [--preemptions N | --limit N] [--random N] [--seed S] [SCENARIO...]
 *   explore SCENARIO --replay MOVES [--trace]
 *
 * Without an option: what the unit suite runs; --limit allows no scenario more preemptions. Exit
 * status 1 when a schedule failed; its moves are printed, as few as do. --replay runs them again,
 * --trace prints each access, with the place in the program that makes it (addr2line -e explore).
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "moves.h"
#include "scenarios.h"
#include "scene.h"
#include "search.h"

#define MANY UINT32_MAX

static struct {
	uint32_t preemptions, limit; /* MANY: each scenario's own */
	uint64_t random, seed;
	bool has_random;
	const char *replay;
	const char *running;
} options = {.preemptions = MANY, .limit = MANY, .random = 2000, .seed = 1};

#define FOR_EACH(s)                                                                                \
	for (const struct scenario *const *t_ = scenario_tables; *t_; t_++)                        \
		for (const struct scenario *s = *t_; s->name; s++)

/* The library died of this schedule: it can be printed, not made smaller. */
static void die(int signal)
{
	static bool again;

	if (!again && options.running && engine_taken()) {
		again = true;
		print_failure(options.running, strsignal(signal), engine_taken());
	}
	_exit(1);
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

static void at_death(void)
{
	die(SIGSEGV);
}

static void catch_death(void)
{
	__sanitizer_set_death_callback(at_death);
}
#else
static void catch_death(void)
{
	static uint8_t stack[64 * 1024];
	stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = die, .sa_flags = SA_ONSTACK};

	sigaltstack(&alternative, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}
#endif

static bool fails(const struct scenario *scenario, struct found *found)
{
	if (!found->failure)
		return false;
	search_minimise(found);
	print_failure(scenario->name, found->failure, &found->schedule);
	return true;
}

static bool explore_all(const struct scenario *scenario, struct found *found)
{
	uint32_t preemptions = options.preemptions == MANY ? scenario->preemptions
							   : options.preemptions;

	if (preemptions > options.limit)
		preemptions = options.limit;
	if (scenario->is_hostile)
		search_flips(preemptions, found);
	else
		search_all(preemptions, found);
	if (fails(scenario, found))
		return false;
	printf("%-24s %9lu schedules, %u preemptions%s", scenario->name,
	       (unsigned long)found->schedules, preemptions,
	       scenario->is_hostile ? ", each bit at each access" : "");
	return true;
}

static bool explore(const struct scenario *scenario)
{
	static struct found found;
	bool fine;

	options.running = scenario->name;
	engine_prepare(scenario);
	fine = explore_all(scenario, &found);
	if (fine) {
		search_random(options.random, options.seed, scenario->is_hostile, &found);
		printf(", %lu at random, at most %u guest words in a call\n",
		       (unsigned long)found.schedules, engine_most_words());
		fine = !fails(scenario, &found);
	}
	fflush(stdout);
	engine_forget();
	return fine;
}

static int replay(const struct scenario *scenario)
{
	static struct schedule schedule, taken;
	const char *failure;

	options.running = scenario->name;
	engine_prepare(scenario);
	if (!read_moves(options.replay, &schedule)) {
		fprintf(stderr, "explore: not a list of moves: %s\n", options.replay);
		return 2;
	}
	failure = search_replay(&schedule, &taken);
	if (failure)
		print_failure(scenario->name, failure, &taken);
	else
		printf("%s: nothing wrong in this schedule\n", scenario->name);
	engine_forget();
	return failure ? 1 : 0;
}

static int list(void)
{
	FOR_EACH(s)
	{
		printf("%-24s %s\n", s->name, s->what);
		for (uint32_t i = 0; i < ACTORS && s->actors[i].run; i++)
			printf("%26u %s\n", i, s->actors[i].name);
	}
	return 0;
}

static const struct scenario *find(const char *name)
{
	FOR_EACH(s)
	if (!strcmp(s->name, name))
		return s;
	fprintf(stderr, "explore: no scenario \"%s\"; --list names them\n", name);
	exit(2);
}

static int run_named(int nr, char **names)
{
	int failed = 0;

	if (options.replay)
		return nr == 1 ? replay(find(names[0])) : 2;
	for (int i = 0; i < nr; i++)
		failed |= !explore(find(names[i]));
	if (nr)
		return failed;
	FOR_EACH(s)
	failed |= !explore(s);
	return failed;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"list", no_argument, NULL, 'l'},
		{"preemptions", required_argument, NULL, 'p'},
		{"limit", required_argument, NULL, 'm'},
		{"random", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 's'},
		{"trace", no_argument, NULL, 't'},
		{"replay", required_argument, NULL, 'y'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'l':
			return list();
		case 'p':
			options.preemptions = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			options.limit = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			options.random = strtoull(optarg, NULL, 10);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 10);
			break;
		case 't':
			engine_trace(true);
			break;
		case 'y':
			options.replay = optarg;
			break;
		default:
			return 2;
		}
	}
	catch_death();
	return run_named(argc - optind, argv + optind);
}
