/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without libFuzzer: on files, and on bytes at random. For machines without
 * clang, and as a unit test.
 *
 *   fuzz-TARGET [--runs N] [--seed S] [--first I] [FILE...]
 *
 * When the target ends the process, the input that it ran is named: a file, or a seed and a number
 * that repeat it.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

#define INPUT_MAX 65536u
#define LENGTHS	  600u

static uint8_t bytes[INPUT_MAX];
static char running[256];

static void say(int signal)
{
	(void)!write(STDERR_FILENO, running, strlen(running));
	_exit(128 + signal);
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

static void at_death(void)
{
	say(SIGABRT);
}

static void catch_death(void)
{
	__sanitizer_set_death_callback(at_death);
}
#else
static void catch_death(void)
{
	signal(SIGSEGV, say);
}
#endif

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void run_at_random(const char *name, uint64_t seed, uint64_t number)
{
	uint64_t state = (seed * 0x9e3779b97f4a7c15 + number) * 0xbf58476d1ce4e5b9 | 1;
	size_t size;

	next(&state);
	size = 16 + (next(&state) >> 20) % LENGTHS;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(next(&state) >> 24);
	snprintf(running, sizeof(running), "again: %s --seed %lu --first %lu --runs 1\n", name,
		 (unsigned long)seed, (unsigned long)number);
	LLVMFuzzerTestOneInput(bytes, size);
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	snprintf(running, sizeof(running), "again: %s\n", path);
	LLVMFuzzerTestOneInput(bytes, size);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{"runs", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 's'},
		{"first", required_argument, NULL, 'f'},
		{0},
	};
	uint64_t runs = 0, seed = 1, first = 0;
	int option, failed = 0;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'r')
			runs = strtoull(optarg, NULL, 10);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (option == 'f')
			first = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	signal(SIGABRT, say);
	catch_death();
	for (int i = optind; i < argc; i++)
		failed |= run_file(argv[i]);
	for (uint64_t i = first; i < first + runs; i++)
		run_at_random(argv[0], seed, i);
	printf("%s: %d files, %lu inputs at random\n", argv[0], argc - optind, (unsigned long)runs);
	return failed;
}
