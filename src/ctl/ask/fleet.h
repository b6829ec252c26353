/* SPDX-License-Identifier: MIT */
/*
 * All instances, with what the files, systemd, the router and the instances themselves say of each.
 * If one source does not answer, its fields are unknown; the others are still filled in. Does not
 * log.
 */
#pragma once

#include <time.h>

#include "config/config.h"
#include "ctl/ask/bus.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ctl.h"

typedef enum FleetState {
        FLEET_UNKNOWN, /* systemd does not say */
        FLEET_OFF,     /* the hand-off socket is not there: visitors are refused */
        FLEET_IDLE,    /* the next connection starts it */
        FLEET_STARTING,
        FLEET_ACTIVE,
        FLEET_STOPPING,
        FLEET_FAILED,
        FLEET_SUSPENDED, /* only as shown: one that is neither off nor failed */
        FLEET_STATES,
} FleetState;

extern const char *const fleet_state_names[FLEET_STATES];

/* Numbers are UNKNOWN where nobody says. */
typedef struct FleetEntry {
        char *name;
        const Instance *instance; /* NULL: its file is not in use, or has gone */
        bool has_file;            /* false: only its socket is left */
        FleetState state;
        char *result;        /* how the service has ended; NULL: not known, as for the next */
        char *said;          /* what the service says of itself */
        uint64_t n_open;     /* connections */
        uint64_t n_handoffs; /* this and the next line: since the router was started */
        uint64_t n_refused, n_redirected;
        uint64_t n_waiting;
        uint64_t memory;                        /* bytes */
        uint64_t tasks;                         /* processes and threads */
        uint64_t cpu_nsec;                      /* since the service was started */
        uint64_t inactive_usec;                 /* when the service ended, since 1970 */
        uint64_t last_used;                     /* seconds since 1970; 0: not that anybody knew */
        uint64_t pid, since_usec, started_usec; /* of the service; times since 1970 */
        bool is_private; /* this and the next line: if systemd does not say, as in the file */
        char **after;    /* units; NULL: not known */
        bool is_partly_unknown; /* systemd has left a question unanswered */
} FleetEntry;

typedef struct Fleet {
        Config *config;
        sd_bus *bus;      /* NULL: there is no systemd to ask */
        int bus_error;    /* why states are not known; 0: they are */
        int router_error; /* why the router's numbers are not known; 0: they are */
        Units units;      /* all that are called bellhop and belong to an instance */
        Samples samples;
        FleetEntry *entries; /* sorted by name */
        size_t n;
        size_t n_bad;            /* files that are not in use */
        size_t n_partly_unknown; /* entries */
} Fleet;

/* What is asked of systemd beside states, main processes, memory, processor time and last use. */
typedef enum FleetDepth {
        FLEET_FOR_LIST = 1 << 0,   /* nothing more */
        FLEET_FOR_STATUS = 1 << 1, /* result, said and since_usec */
        FLEET_FOR_APPLY = 1 << 2,  /* started_usec and what fleet_network() needs */
} FleetDepth;

/* only: one name, or NULL for all. Returns 0, or a negative errno when nothing can be said. */
int fleet_load(const Ctl *ctl, const char *only, FleetDepth depth, Fleet *ret);
void fleet_done(Fleet *fleet);

/* The network that the service has, or will have at its next start. */
Network fleet_network(const FleetEntry *entry);

/* The state for people and programs, which shows that an instance is suspended. */
FleetState fleet_shown_state(const FleetEntry *entry);

/* Whether the router has read its files before that change: 1, 0, or why that is not known. One
 * that does not run reads them at its start: 0. */
int fleet_router_lacks(const Fleet *fleet, uint64_t changed_nsec);

/* NULL: there is none. */
FleetEntry *fleet_find(const Fleet *fleet, const char *name);

/*
 * Until when the certificates of an instance and of its hosts are all valid. -ENOENT: it has none,
 * and no HTTPS; -EACCES: one may not be read; -EAGAIN: systemd does not say; another negative errno
 * for what is no certificate. One that systemd passes as a credential takes precedence over that of
 * the instance, but systemd is asked only where there is no other, or about one instance alone.
 */
int fleet_expiry(const Ctl *ctl, const Fleet *fleet, const char *name, const Hosts *hosts,
                 time_t *ret);
