/* SPDX-License-Identifier: MIT */
/* See coroutine.h. */
#include "coroutine.h"

#include <stdint.h>
#include <sys/mman.h>

#define STACK_SIZE (64u * 1024)

void coroutine_swap(void **from_sp, void *to_sp);
void coroutine_enter(void);

/* The callee-saved registers, and the stack: all that a call preserves. */
__asm__(".text\n"
	".globl coroutine_swap\n"
	".type coroutine_swap, @function\n"
	"coroutine_swap:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size coroutine_swap, . - coroutine_swap\n"
	".globl coroutine_enter\n"
	".type coroutine_enter, @function\n"
	"coroutine_enter:\n"
	"	mov %r12, %rdi\n"
	"	call *%r13\n"
	"	ud2\n"
	".size coroutine_enter, . - coroutine_enter\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static struct coroutine *left;

static void before_switch(struct coroutine *from, struct coroutine *to)
{
	left = from;
	__sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
}

/* Also learns where the thread's own stack is, which only ASan knows. */
static void after_switch(void *fake_stack)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(fake_stack, &bottom, &size);
	left->stack = (void *)(uintptr_t)bottom;
	left->stack_size = size;
}

static void forget(struct coroutine *c)
{
	ASAN_UNPOISON_MEMORY_REGION(c->stack, c->stack_size);
}
#else
static void before_switch(struct coroutine *from, struct coroutine *to)
{
	(void)from, (void)to;
}

static void after_switch(void *fake_stack)
{
	(void)fake_stack;
}

static void forget(struct coroutine *c)
{
	(void)c;
}
#endif

void coroutine_start(struct coroutine *c, void (*entry)(void *arg), void *arg)
{
	uintptr_t *top;

	if (!c->stack) {
		c->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		c->stack_size = STACK_SIZE;
		if (c->stack == MAP_FAILED)
			__builtin_trap();
	}
	forget(c);
	c->fake_stack = NULL;
	/* As coroutine_swap() leaves it; the stack is aligned to 16 where coroutine_enter calls. */
	top = (uintptr_t *)((uintptr_t)c->stack + c->stack_size) - 2;
	*--top = (uintptr_t)coroutine_enter;
	*--top = 0;		   /* rbp */
	*--top = 0;		   /* rbx */
	*--top = (uintptr_t)arg;   /* r12 */
	*--top = (uintptr_t)entry; /* r13 */
	*--top = 0;		   /* r14 */
	*--top = 0;		   /* r15 */
	c->sp = top;
}

void coroutine_switch(struct coroutine *from, struct coroutine *to)
{
	before_switch(from, to);
	coroutine_swap(&from->sp, to->sp);
	after_switch(from->fake_stack);
}

void coroutine_begun(void)
{
	after_switch(NULL);
}
