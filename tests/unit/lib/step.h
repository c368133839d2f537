/* SPDX-License-Identifier: MIT */
/*
 * A build of the library in which a test can act before every atomic access: meson compiles the
 * library's sources again with `-include` of this file. steps.c puts the other party's whole
 * operation before each access in turn; stress.c gives the CPU away at random.
 */
#ifndef TESTS_LIB_STEP_H
#define TESTS_LIB_STEP_H

/* A build may bring its own UC_STEP, and UC_STEP_LOAD for what only reads: tests/explore, fuzz. */
#ifndef UC_STEP
/* Set by the test; runs before each access, with the address. May access what it likes. */
extern void (*uc_step_hook)(const volatile void *address);

#define UC_STEP(p) (uc_step_hook ? uc_step_hook((const volatile void *)(p)) : (void)0)
#endif
#ifndef UC_STEP_LOAD
#define UC_STEP_LOAD(p) UC_STEP(p)
#endif

#define __atomic_load_n(p, order)	 (UC_STEP_LOAD(p), __atomic_load_n(p, order))
#define __atomic_store_n(p, v, order)	 (UC_STEP(p), __atomic_store_n(p, v, order))
#define __atomic_exchange_n(p, v, order) (UC_STEP(p), __atomic_exchange_n(p, v, order))
#define __atomic_fetch_or(p, v, order)	 (UC_STEP(p), __atomic_fetch_or(p, v, order))
#define __atomic_fetch_and(p, v, order)	 (UC_STEP(p), __atomic_fetch_and(p, v, order))
#define __atomic_fetch_add(p, v, order)	 (UC_STEP(p), __atomic_fetch_add(p, v, order))
#define __atomic_fetch_sub(p, v, order)	 (UC_STEP(p), __atomic_fetch_sub(p, v, order))
#define __atomic_compare_exchange_n(p, expected, v, weak, success, failure)                        \
	(UC_STEP(p), __atomic_compare_exchange_n(p, expected, v, weak, success, failure))

/* lib/atomic.h then has no assembler for single bits, which would bypass the above. */
#undef __SANITIZE_THREAD__
#define __SANITIZE_THREAD__ 1

#endif
