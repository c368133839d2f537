/* SPDX-License-Identifier: MIT */
/*
 * Every access that orders something, in one place.
 *
 * uc_g*_() work on words that a guest shares: each call is one access. There is no fetch-and-op
 * that returns the whole old word, because x86 makes that a compare-and-swap loop, and a guest that
 * keeps writing the word would decide how long it runs. Single bits are one `lock bts`/`btr`.
 *
 * Full ordering (sequentially consistent) is the default for read-modify-writes: on x86 it costs
 * nothing more, and the protocols' store-then-load steps ("Dekker" steps) rely on it.
 *
 * x86-64 and aarch64, both little-endian. On aarch64 the one-access rule needs the atomic
 * instructions of ARMv8.1 (-march=armv8.1-a): without them each read-modify-write is a loop of
 * exclusive loads and stores, which a hostile guest can keep from ending (Xen's XSA-295).
 */
#ifndef UPCALL_LIB_ATOMIC_H
#define UPCALL_LIB_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include <upcall/abi.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the words shared with guests are");

#define uc_load(p)	       __atomic_load_n((p), __ATOMIC_RELAXED)
#define uc_load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define uc_load_seq(p)	       __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define uc_store(p, v)	       __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define uc_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define uc_store_seq(p, v)     __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define uc_xchg(p, v)	       __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define uc_inc(p)	       ((void)__atomic_fetch_add((p), 1, __ATOMIC_SEQ_CST))
#define uc_dec(p)	       ((void)__atomic_fetch_sub((p), 1, __ATOMIC_SEQ_CST))
#define uc_count(p)	       ((void)__atomic_fetch_add((p), 1, __ATOMIC_RELAXED))

static inline uint32_t uc_g32_read(const uc_g32 *w)
{
	return __atomic_load_n(&w->raw, __ATOMIC_SEQ_CST);
}

static inline void uc_g32_write(uc_g32 *w, uint32_t value)
{
	__atomic_store_n(&w->raw, value, __ATOMIC_RELEASE);
}

/*
 * gcc makes one `lock bts` of fetch-or-and-test only sometimes, and a loop otherwise; so it is
 * written out. The sanitizers must see the access, and other machines have their own ways.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define UC_BIT_OP(insn, word, bit, fallback)                                                       \
	({                                                                                         \
		bool was_set_;                                                                     \
		__asm__ volatile("lock " insn " %2, %1"                                            \
				 : "=@ccc"(was_set_), "+m"((word)->raw)                            \
				 : "r"(bit)                                                        \
				 : "memory");                                                      \
		was_set_;                                                                          \
	})
#else
#define UC_BIT_OP(insn, word, bit, fallback) (fallback)
#endif

static inline bool uc_g32_test_and_set(uc_g32 *w, unsigned int bit)
{
	uint32_t mask = 1u << bit;

	(void)mask;
	return UC_BIT_OP("btsl", w, bit,
			 (__atomic_fetch_or(&w->raw, mask, __ATOMIC_SEQ_CST) & mask) != 0);
}

static inline bool uc_g32_test_and_clear(uc_g32 *w, unsigned int bit)
{
	uint32_t mask = 1u << bit;

	(void)mask;
	return UC_BIT_OP("btrl", w, bit,
			 (__atomic_fetch_and(&w->raw, ~mask, __ATOMIC_SEQ_CST) & mask) != 0);
}

static inline void uc_g32_set(uc_g32 *w, unsigned int bit)
{
	(void)__atomic_fetch_or(&w->raw, 1u << bit, __ATOMIC_SEQ_CST);
}

static inline void uc_g32_clear(uc_g32 *w, unsigned int bit)
{
	(void)__atomic_fetch_and(&w->raw, ~(1u << bit), __ATOMIC_SEQ_CST);
}

static inline void uc_g32_clear_bits(uc_g32 *w, uint32_t bits)
{
	(void)__atomic_fetch_and(&w->raw, ~bits, __ATOMIC_SEQ_CST);
}

/* Returns the old word: `lock xadd` is the one whole-word operation of x86 that needs no loop. */
static inline uint32_t uc_g32_add(uc_g32 *w, uint32_t value)
{
	return __atomic_fetch_add(&w->raw, value, __ATOMIC_SEQ_CST);
}

/* On failure *expected is what the word held. */
static inline bool uc_g32_cas(uc_g32 *w, uint32_t *expected, uint32_t value)
{
	return __atomic_compare_exchange_n(&w->raw, expected, value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static inline uint32_t uc_g32_xchg(uc_g32 *w, uint32_t value)
{
	return __atomic_exchange_n(&w->raw, value, __ATOMIC_SEQ_CST);
}

static inline uint64_t uc_g64_read(const uc_g64 *w)
{
	return __atomic_load_n(&w->raw, __ATOMIC_SEQ_CST);
}

static inline bool uc_g64_test_and_set(uc_g64 *w, unsigned int bit)
{
	uint64_t mask = 1ull << bit;

	(void)mask;
	return UC_BIT_OP("btsq", w, (uint64_t)bit,
			 (__atomic_fetch_or(&w->raw, mask, __ATOMIC_SEQ_CST) & mask) != 0);
}

static inline bool uc_g64_test_and_clear(uc_g64 *w, unsigned int bit)
{
	uint64_t mask = 1ull << bit;

	(void)mask;
	return UC_BIT_OP("btrq", w, (uint64_t)bit,
			 (__atomic_fetch_and(&w->raw, ~mask, __ATOMIC_SEQ_CST) & mask) != 0);
}

static inline void uc_g64_set(uc_g64 *w, unsigned int bit)
{
	(void)__atomic_fetch_or(&w->raw, 1ull << bit, __ATOMIC_SEQ_CST);
}

static inline void uc_g64_clear(uc_g64 *w, unsigned int bit)
{
	(void)__atomic_fetch_and(&w->raw, ~(1ull << bit), __ATOMIC_SEQ_CST);
}

static inline uint64_t uc_g64_xchg(uc_g64 *w, uint64_t value)
{
	return __atomic_exchange_n(&w->raw, value, __ATOMIC_SEQ_CST);
}

static inline uint8_t uc_g8_xchg(uc_g8 *w, uint8_t value)
{
	return __atomic_exchange_n(&w->raw, value, __ATOMIC_SEQ_CST);
}

static inline uint8_t uc_g8_read(const uc_g8 *w)
{
	return __atomic_load_n(&w->raw, __ATOMIC_SEQ_CST);
}

static inline void uc_cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* `index` when below `size`, else 0, also for a CPU that speculates past the check before it. */
static inline uint32_t uc_index_nospec(uint32_t index, uint32_t size)
{
	uint64_t mask;

	__asm__("" : "+r"(index)); /* keep the compiler from folding the mask into the check */
	mask = (uint64_t)((int64_t)((uint64_t)index - size) >> 63);
#if defined(__aarch64__)
	__asm__("hint #20" : "+r"(mask)); /* csdb: no value of it that the CPU only predicted */
#endif
	return (uint32_t)(index & mask);
}

#endif
