/* SPDX-License-Identifier: MIT */
/*
 * Finds the instances in which the kernel's OOM killer or systemd-oomd killed a process. After a
 * kill, the instance's service stays active (OOMPolicy=continue), so its state does not show the
 * kill. The kernel counts kills, too (see ctl/ask/events.h).
 */
#pragma once

#include "config/names.h"

/* Lines of the journal that are older than this are not read. */
#define OOM_HOURS 24

/* The last kill in one instance, from the journal. */
typedef struct OomKill {
        char instance[NAME_UNIT_MAX];
        uint64_t last_usec; /* since 1970 */
} OomKill;

typedef struct OomKills {
        OomKill *kills; /* one element for each instance with kills */
        size_t n;
} OomKills;

/* Reads the kills of all instances in the last OOM_HOURS hours. Returns 0 or a negative errno. Call
 * oom_done() even after an error. */
int oom_read_journal(OomKills *ret);
void oom_done(OomKills *kills);

/* The time of the last kill, in microseconds since 1970; 0: there is none. */
uint64_t oom_last(const OomKills *kills, const char *instance);
