/* SPDX-License-Identifier: MIT */
/* What must hold after a schedule; each ends it with engine_fail(). */
#ifndef TESTS_EXPLORE_TRUTH_H
#define TESTS_EXPLORE_TRUTH_H

#include "scene.h"

/* The private state of both domains is sound. */
void truth_records(struct scene *s);
/*
 * Of a guest that keeps the ABI: no upcall without its kick, sound lists, and once the vCPUs have
 * run, nothing is left over, everything was seen, all counts agree. `taken`: kicks that had been
 * answered.
 */
void truth_honest(struct scene *s, struct machine *m, const uint32_t *taken);
/* A guest that mends its words is served as any other. */
void truth_repair(struct scene *s);

/* `first` was handled before `second` was. */
void truth_handled_in_order(struct machine *m, uint32_t first, uint32_t second);

#endif
