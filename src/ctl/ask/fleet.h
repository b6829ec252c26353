/* SPDX-License-Identifier: MIT */
/*
 * Collects information about all instances (the fleet) from the configuration files, systemd, the
 * router and the instances themselves. If one of these sources does not answer, the fields from
 * this source are unknown; all other fields are still set. Does not log.
 */
#pragma once

#include <time.h>

#include "config/config.h"
#include "ctl/ask/bus.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ctl.h"

typedef enum FleetState {
        FLEET_UNKNOWN, /* systemd does not answer */
        FLEET_OFF,     /* the hand-off socket does not exist: connections are refused */
        FLEET_IDLE,    /* the next connection starts the server */
        FLEET_STARTING,
        FLEET_ACTIVE,
        FLEET_STOPPING,
        FLEET_FAILED,
        FLEET_SUSPENDED, /* only fleet_shown_state() returns this */
        FLEET_STATES,
} FleetState;

extern const char *const fleet_state_names[FLEET_STATES];

/* A number is UNKNOWN if its source does not answer. */
typedef struct FleetEntry {
        char *name;
        const Instance *instance; /* NULL: its file has a mistake, or was removed */
        bool has_file;            /* false: only its socket remains */
        FleetState state;
        char *result;        /* how the service ended; NULL: unknown */
        char *said;          /* the status that the service reports; NULL: unknown */
        uint64_t n_open;     /* open connections */
        uint64_t n_handoffs; /* this and the next two count from the start of the router */
        uint64_t n_refused, n_redirected;
        uint64_t n_waiting;
        uint64_t memory;        /* bytes */
        uint64_t tasks;         /* processes and threads */
        uint64_t cpu_nsec;      /* since the service was started */
        uint64_t inactive_usec; /* time when the service ended, since 1970 */
        uint64_t last_used;     /* seconds since 1970; 0: unknown */
        /* The service's main process, and the times (since 1970) when the service last changed its
         * state and when this process was started. */
        uint64_t pid, since_usec, started_usec;
        bool is_private;        /* has no network; from the file if systemd does not answer */
        char **after;           /* units of After=, from systemd; NULL: unknown */
        bool is_partly_unknown; /* systemd did not answer all questions about the instance */
} FleetEntry;

typedef struct Fleet {
        Config *config;
        sd_bus *bus;      /* NULL: there is no systemd to ask */
        int bus_error;    /* why states are unknown; 0: they are known */
        int router_error; /* why the router's numbers are unknown; 0: they are known */
        Units units;      /* the units of all instances */
        Samples samples;
        FleetEntry *entries; /* sorted by name */
        size_t n;
        size_t n_bad;            /* files with a mistake, which are not in use */
        size_t n_partly_unknown; /* entries with is_partly_unknown */
} Fleet;

/* Selects the questions to systemd. Each depth includes states, main processes, memory, processor
 * time and last use. */
typedef enum FleetDepth {
        FLEET_FOR_LIST = 1 << 0,   /* only these */
        FLEET_FOR_STATUS = 1 << 1, /* also result, said, tasks and since_usec */
        FLEET_FOR_APPLY = 1 << 2,  /* also started_usec and the data for fleet_network() */
} FleetDepth;

/* only: the name of one instance, or NULL for all. Returns 0, or a negative errno if nothing is
 * known. */
int fleet_load(const Ctl *ctl, const char *only, FleetDepth depth, Fleet *ret);
void fleet_done(Fleet *fleet);

/* The network that the running service has, or that a stopped service gets at its next start. */
Network fleet_network(const FleetEntry *entry);

/* The state to show to people: entry->state, but FLEET_SUSPENDED for a suspended instance that is
 * idle, starting, active or stopping. */
FleetState fleet_shown_state(const FleetEntry *entry);

/* Returns 1 if the router has not read its files since the time changed_nsec, 0 if it has read
 * them, or a negative errno. Also returns 0 if the router is not running, because it reads the
 * files at its next start. */
int fleet_router_lacks(const Fleet *fleet, uint64_t changed_nsec);

/* Returns NULL if no entry has that name. */
FleetEntry *fleet_find(const Fleet *fleet, const char *name);

typedef struct FleetCertificate {
        time_t expires;      /* the earliest expiry of all certificates */
        bool is_self_signed; /* at least one certificate is self-signed */
} FleetCertificate;

/*
 * Summarizes the certificates of an instance and its hosts. Returns 0 or a negative errno: -ENOENT
 * if there is no certificate, and so no HTTPS; -EACCES if a certificate is not readable; -EAGAIN if
 * systemd does not answer; any other errno if a certificate is invalid. If systemd passes a
 * certificate to the service as a credential, the server uses the credential instead of the
 * instance's certificate file. This function asks systemd about the credential if the fleet has
 * only this instance. In a larger fleet, to save time, it asks only if the instance has no
 * certificate file.
 */
int fleet_certificate(const Ctl *ctl, const Fleet *fleet, const char *name, const Hosts *hosts,
                      FleetCertificate *ret);
