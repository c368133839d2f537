/* SPDX-License-Identifier: MIT */
/* The words of machine a that a hostile guest changes a bit of: see scene_flip() in scene.h. */
#ifndef TESTS_EXPLORE_FLIPS_H
#define TESTS_EXPLORE_FLIPS_H

struct scene;

void flips_list(struct scene *s);

#endif
