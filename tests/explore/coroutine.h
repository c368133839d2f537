/* SPDX-License-Identifier: MIT */
/*
 * Coroutines on one thread: a stack each, and a switch that costs a few instructions (ucontext's
 * costs two system calls, and an exploration switches some hundred million times). x86-64 only.
 * What is not finished is simply started again: nothing is unwound.
 */
#ifndef TESTS_EXPLORE_COROUTINE_H
#define TESTS_EXPLORE_COROUTINE_H

#include <stddef.h>

struct coroutine {
	void *sp;
	void *stack; /* NULL: the thread's own */
	size_t stack_size;
	void *fake_stack; /* ASan's */
};

/* At the next switch to `c`, entry(arg) begins on its stack. It must not return. */
void coroutine_start(struct coroutine *c, void (*entry)(void *arg), void *arg);
void coroutine_switch(struct coroutine *from, struct coroutine *to);
/* The first thing that entry() does. */
void coroutine_begun(void);

#endif
