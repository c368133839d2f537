/* SPDX-License-Identifier: MIT */
/* Quantiles and the bootstrap, against answers known without them. */
#include "fixture.h"

#include <math.h>

#include "compare/report/stats.h"

static const uint32_t one_window[] = {1};

static struct uc_pool pool_of(struct uc_latency *samples, size_t n)
{
	return (struct uc_pool){samples, n, 0, 1, one_window, 1};
}

static void check_quantiles(size_t n, const double expected[UC_QUANTILES])
{
	struct uc_latency *s = calloc(n, sizeof(*s));
	struct uc_pool pool = pool_of(s, n);
	double q[UC_QUANTILES];

	for (size_t i = 0; i < n; i++)
		s[i].us = (double)(n - i); /* n..1: to be sorted */
	uc_pool_sort(&pool);
	uc_pool_quantiles(&pool, NULL, q);
	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		assert_us(q[k], expected[k]);
	free(s);
}

static void quantiles_are_of_nearest_rank(void **state)
{
	(void)state;
	check_quantiles(1, (double[]){1, 1, 1, 1});
	check_quantiles(2, (double[]){1, 2, 2, 2});
	check_quantiles(10, (double[]){5, 10, 10, 10});
	check_quantiles(100, (double[]){50, 95, 99, 100});
	check_quantiles(101, (double[]){51, 96, 100, 101});
	check_quantiles(1000, (double[]){500, 950, 990, 999});
	check_quantiles(1001, (double[]){501, 951, 991, 1000});
	check_quantiles(100000, (double[]){50000, 95000, 99000, 99900});
}

static void nothing_has_no_quantile(void **state)
{
	struct uc_pool pool = pool_of(NULL, 0);
	double q[UC_QUANTILES];

	(void)state;
	uc_pool_sort(&pool);
	uc_pool_quantiles(&pool, NULL, q);
	for (unsigned int k = 0; k < UC_QUANTILES; k++)
		assert_us(q[k], NAN);
}

#define WINDOWS 7

/* The same samples, each as often as its window counts. */
static struct uc_pool repeated(const struct uc_pool *pool, const uint32_t *weight)
{
	struct uc_latency *s = calloc(pool->n * WINDOWS + 1, sizeof(*s));
	struct uc_pool copy = pool_of(s, 0);

	for (size_t i = 0; i < pool->n; i++)
		for (uint32_t w = 0; w < weight[pool->sample[i].window]; w++)
			s[copy.n++] = pool->sample[i];
	uc_pool_sort(&copy);
	return copy;
}

static void a_weight_is_repetition(void **state)
{
	static const uint32_t strata[] = {3, WINDOWS};
	struct uc_random random = uc_random_new(7, 1);

	(void)state;
	for (int round = 0; round < 500; round++) {
		size_t n = 1 + uc_random_below(&random, 60);
		struct uc_latency *s = calloc(n, sizeof(*s));
		struct uc_pool pool = {s, n, 0, WINDOWS, strata, 2}, copy;
		uint32_t weight[WINDOWS];
		double q[UC_QUANTILES], expected[UC_QUANTILES];

		for (size_t i = 0; i < n; i++) {
			s[i].us = uc_random_below(&random, 20);
			s[i].window = uc_random_below(&random, WINDOWS);
		}
		uc_pool_sort(&pool);
		uc_resample(&random, strata, 2, weight);
		copy = repeated(&pool, weight);
		uc_pool_quantiles(&pool, weight, q);
		uc_pool_quantiles(&copy, NULL, expected);
		for (unsigned int k = 0; k < UC_QUANTILES; k++)
			assert_us(q[k], expected[k]);
		free(copy.sample);
		free(s);
	}
}

static void a_stratum_is_drawn_from_itself(void **state)
{
	static const uint32_t strata[] = {3, 3, WINDOWS}; /* the second is empty */
	struct uc_random random = uc_random_new(1, 2);
	uint32_t weight[WINDOWS];
	unsigned int often = 0;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		uc_resample(&random, strata, 3, weight);
		assert_int_equal(weight[0] + weight[1] + weight[2], 3);
		assert_int_equal(weight[3] + weight[4] + weight[5] + weight[6], 4);
		often += weight[3];
	}
	/* The mean is 1000, the standard deviation 27. */
	assert_in_range(often, 1000 - 5 * 27, 1000 + 5 * 27);
}

static void random_numbers_follow_the_seed(void **state)
{
	struct uc_random a = uc_random_new(1, 0), b = uc_random_new(1, 0), c = uc_random_new(1, 1),
			 d = uc_random_new(2, 0);
	int same_c = 0, same_d = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint32_t value = uc_random_below(&a, 1000000);

		assert_int_equal(value, uc_random_below(&b, 1000000));
		same_c += value == uc_random_below(&c, 1000000);
		same_d += value == uc_random_below(&d, 1000000);
	}
	assert_in_range(same_c, 0, 1);
	assert_in_range(same_d, 0, 1);
}

static void an_interval_is_the_middle(void **state)
{
	double values[2000];
	struct uc_estimate e;

	(void)state;
	for (int i = 0; i < 2000; i++)
		values[i] = 2000 - i;
	uc_interval(values, 2000, &e);
	assert_us(e.low, 50);
	assert_us(e.high, 1950);
	uc_interval(values, 0, &e);
	assert_us(e.low, NAN);
	assert_us(e.high, NAN);
}

/* `unknown` of 2000 values are NAN, the others 1 and up. */
static struct uc_estimate with_unknown(int unknown)
{
	double values[2000];
	struct uc_estimate e;

	for (int i = 0; i < 2000; i++)
		values[i] = i < unknown ? NAN : i - unknown + 1;
	uc_interval(values, 2000, &e);
	return e;
}

static void what_is_unknown_could_be_anything(void **state)
{
	(void)state;
	assert_us(with_unknown(49).low, 1);
	assert_us(with_unknown(50).low, NAN);
	assert_us(with_unknown(50).high, 1950);
	assert_us(with_unknown(51).high, NAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_of_nearest_rank),
		cmocka_unit_test(nothing_has_no_quantile),
		cmocka_unit_test(a_weight_is_repetition),
		cmocka_unit_test(a_stratum_is_drawn_from_itself),
		cmocka_unit_test(random_numbers_follow_the_seed),
		cmocka_unit_test(an_interval_is_the_middle),
		cmocka_unit_test(what_is_unknown_could_be_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
