/* SPDX-License-Identifier: MIT */
/*
 * The library's spin lock: test-and-test-and-set. Not fair on purpose: with preempted threads a
 * ticket lock makes everyone wait for the one that is not running.
 */
#include "private.h"

#define SPINS_PER_RELAX 256

void uc_spin(uint32_t *spins, const struct uc_host *host)
{
	uc_cpu_pause();
	if (++*spins % SPINS_PER_RELAX == 0 && host->ops->relax)
		host->ops->relax(host->ctx);
}

void uc_lock_slow(uint32_t *lock, const struct uc_host *host)
{
	uint32_t spins = 0;

	do {
		while (uc_load(lock))
			uc_spin(&spins, host);
	} while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE));
}

void uc_lock_two(uint32_t *a, uint32_t *b, const struct uc_host *host)
{
	if (a == b) {
		uc_lock(a, host);
		return;
	}
	uc_lock((uintptr_t)a < (uintptr_t)b ? a : b, host);
	uc_lock((uintptr_t)a < (uintptr_t)b ? b : a, host);
}

void uc_unlock_two(uint32_t *a, uint32_t *b)
{
	uc_unlock(a);
	if (a != b)
		uc_unlock(b);
}
