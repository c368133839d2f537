/* SPDX-License-Identifier: MIT */
/*
 * The library's spin lock: test-and-test-and-set, looked at less and less often. Not fair on
 * purpose: with preempted threads a ticket lock makes everyone wait for the one that is not
 * running. And with two senders to one queue, one that goes on while its CPU has the queue's line
 * costs both less than strict turns, in which the line, the tail's word and its port cross over for
 * each event.
 */
#include "private.h"

#define SPINS_PER_RELAX 256
/* Between two looks at a lock: 0.1 to 2 us on CPUs of today. */
#define PAUSES_MIN 8
#define PAUSES_MAX 128

void uc_spin(uint32_t *spins, const struct uc_host *host)
{
	uc_cpu_pause();
	if (++*spins % SPINS_PER_RELAX == 0 && host->ops->relax)
		host->ops->relax(host->ctx);
}

void uc_lock_slow(uint32_t *lock, const struct uc_host *host)
{
	uint32_t spins = 0, pauses = PAUSES_MIN;

	do {
		do {
			for (uint32_t i = 0; i < pauses; i++)
				uc_spin(&spins, host);
			if (pauses < PAUSES_MAX)
				pauses *= 2;
		} while (uc_load(lock));
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
