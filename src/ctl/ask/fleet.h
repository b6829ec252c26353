/* SPDX-License-Identifier: MIT */
/*
 * All instances, with what the files, systemd and the router know of each. What one of them can't
 * tell is unknown, and the rest stays. Does not log.
 */
#pragma once

#include <time.h>

#include "config/config.h"
#include "ctl/ask/bus-many.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ctl.h"

#define UNKNOWN UINT64_MAX

typedef enum SiteState {
        SITE_UNKNOWN, /* systemd did not tell */
        SITE_OFF,     /* its socket is not there: its visitors are refused */
        SITE_IDLE,    /* the next connection starts it */
        SITE_STARTING,
        SITE_ACTIVE,
        SITE_STOPPING,
        SITE_FAILED,
        SITE_STATES,
} SiteState;

extern const char *const site_state_names[SITE_STATES];

typedef struct Member {
        char *name;
        const Instance *instance; /* NULL: there is a file, but it is not in use */
        SiteState state;
        char *status;        /* what its server says of itself; NULL: nothing */
        uint64_t n_open;     /* connections */
        uint64_t n_handoffs; /* since the router was started */
        uint64_t n_refused, n_redirected, n_waiting;
        uint64_t memory;    /* bytes */
        uint64_t cpu_nsec;  /* since the service was started */
        uint64_t last_used; /* seconds since 1970; 0: not that anybody knew */
} Member;

typedef struct Fleet {
        Config *config;
        sd_bus *bus;      /* NULL: no systemd to ask */
        int bus_error;    /* and why */
        int router_error; /* why the router's numbers are not known; 0: they are */
        Units units;      /* all that are called bellhop and belong to an instance */
        Samples samples;
        Member *sites; /* sorted by name */
        size_t n;
        size_t n_bad; /* those of which the file is not in use */
} Fleet;

/* only: one name, or NULL for all. Returns 0, or a negative errno when there is nothing to tell. */
int fleet_load(const Ctl *ctl, const char *only, Fleet *ret);
void fleet_done(Fleet *fleet);

/* The numbers once more: of the router, and of what runs by systemd. The sites stay the same. */
int fleet_refresh(const Ctl *ctl, Fleet *fleet);

Member *fleet_find(const Fleet *fleet, const char *name);

/*
 * Until when the certificate of an instance is valid. -ENOENT: it has none, and no HTTPS; -EACCES:
 * it may not be read; another negative errno for what is no certificate. One that systemd passes to
 * the server as a credential takes precedence, but for that, systemd has to be asked for each.
 */
int fleet_expiry(const Ctl *ctl, const Fleet *fleet, const char *name, time_t *ret);
