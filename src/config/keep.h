/* SPDX-License-Identifier: MIT */
/*
 * What a reload keeps: an instance whose file has a mistake now stays as it was in the
 * configuration before, but for routes that belong to another instance now.
 */
#pragma once

#include "config/config.h"

typedef struct Keep {
        const Config *old;  /* not owned; NULL: there was nothing before */
        HostMapMove *moves; /* for each instance of old */
} Keep;

/* Returns 0 or -ENOMEM. */
int keep_init(Keep *keep, const Config *old);
void keep_done(Keep *keep);

/* Appends the instance of that name as it was, if it was there. Its routes follow in
 * keep_routes(). Returns 0 or -ENOMEM. */
int keep_instance(Config *config, const Keep *keep, const char *name);

/* To be called once all instances are in config: adds the routes of those that were kept. Returns 0
 * or -ENOMEM. */
int keep_routes(Config *config, const Keep *keep);
