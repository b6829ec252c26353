/* SPDX-License-Identifier: MIT */
/*
 * Processes of instances that the kernel's OOM killer, or systemd-oomd, has ended. The instance
 * goes on (OOMPolicy=continue), so nothing else of it shows that.
 */
#pragma once

#include "ctl/ask/bus.h"

/* How far back the journal is read. */
#define OOM_HOURS 24

/* What the journal says of one instance. */
typedef struct OomKill {
        char instance[NAME_UNIT_MAX];
        uint64_t last_usec; /* since 1970 */
} OomKill;

typedef struct OomKills {
        OomKill *kills; /* one for each instance that has any */
        size_t n;
} OomKills;

/* Of all instances, in the last OOM_HOURS; oom_done() is needed in each case. 0 or a negative
 * errno. */
int oom_read_journal(OomKills *ret);
void oom_done(OomKills *kills);

/* When the last one was, in microseconds since 1970; 0: there is none. */
uint64_t oom_last(const OomKills *kills, const char *instance);

/* How many the kernel has counted since the service was started. UINT64_MAX: it does not run, or
 * nobody says. */
uint64_t oom_count(sd_bus *bus, const char *instance);
