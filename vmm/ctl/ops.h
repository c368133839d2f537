/* SPDX-License-Identifier: MIT */
/*
 * What a machine can be asked over its control socket. To add an op: a function, declared here, and
 * one row of uc_ctl_ops (ops.c).
 *
 * The functions run on the control thread, between devices' turns, while the vCPUs run: they must
 * not block, and a reply must stay well below UC_CTL_OUT_MAX whatever the guest has done.
 */
#ifndef UPCALL_VMM_CTL_OPS_H
#define UPCALL_VMM_CTL_OPS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vm.h"

#define UC_CTL_ERROR_SIZE 256
#define UC_CTL_ARGS_MAX	  8
#define UC_CTL_PROTOCOL	  1

struct uc_ctl_op {
	const char *name; /* NULL ends the table */
	/* 0 and *result (the caller's), or -errno and one line in `error`. `args` is the request;
	 * it holds no other keys than "op" and those below. */
	int (*run)(struct uc_vm *vm, const json_t *args, json_t **result,
		   char error[UC_CTL_ERROR_SIZE]);
	const char *args[UC_CTL_ARGS_MAX + 1]; /* ends with NULL */
};

extern const struct uc_ctl_op uc_ctl_ops[];

/* Answer one request line. The reply ends with a newline and is to be freed; NULL: no memory. */
char *uc_ctl_answer(struct uc_vm *vm, const char *line, size_t bytes);
/* A reply that refuses, as uc_ctl_answer() makes it. */
char *uc_ctl_refusal(int err, const char *text);

/* ---- for ops ---- */

/* Fill `error`; returns -err. */
int uc_ctl_refuse(char error[UC_CTL_ERROR_SIZE], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

struct uc_ctl_uint {
	const char *key;
	uint32_t min, max, otherwise; /* the value when the request has no such key */
};

/* A whole number among the arguments. 0, or -EINVAL with `error`. */
int uc_ctl_arg_uint(const json_t *args, const struct uc_ctl_uint *want, uint32_t *value,
		    char error[UC_CTL_ERROR_SIZE]);

/* ops_basic.c */
int uc_ctl_op_status(struct uc_vm *vm, const json_t *args, json_t **result, char *error);
int uc_ctl_op_ports(struct uc_vm *vm, const json_t *args, json_t **result, char *error);
int uc_ctl_op_version(struct uc_vm *vm, const json_t *args, json_t **result, char *error);
int uc_ctl_op_quit(struct uc_vm *vm, const json_t *args, json_t **result, char *error);

/* ops_route.c */
int uc_ctl_op_policy(struct uc_vm *vm, const json_t *args, json_t **result, char *error);
int uc_ctl_op_boost(struct uc_vm *vm, const json_t *args, json_t **result, char *error);
int uc_ctl_op_affinity(struct uc_vm *vm, const json_t *args, json_t **result, char *error);
int uc_ctl_op_priority(struct uc_vm *vm, const json_t *args, json_t **result, char *error);

#endif
