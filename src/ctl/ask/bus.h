/* SPDX-License-Identifier: MIT */
/*
 * What systemd knows of units and does with them, by D-Bus with PID 1. Functions return 0 or a
 * negative errno, and do not log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "config/names.h"

/* -ENOENT and the like when systemd does not run here. */
int bus_open(sd_bus **ret);
sd_bus *bus_close(sd_bus *bus);

/* One unit that systemd has in memory. */
typedef struct UnitState {
        const char *name;
        const char *active; /* "active", "inactive", "failed", "activating", ... */
} UnitState;

typedef struct Units {
        UnitState *units; /* sorted by name */
        size_t n;
        sd_bus_message *reply; /* owns the strings */
} Units;

/* All that match the pattern ("bellhop*"), in one call: good for thousands. */
int bus_list_units(sd_bus *bus, const char *pattern, Units *ret);
void units_done(Units *units);

/* NULL: not in memory, so inactive. */
const UnitState *units_find(const Units *units, const char *name);
bool unit_is_active(const Units *units, const char *name);

/* Whether one unit is active: 1, 0 or a negative errno. */
int bus_is_active(sd_bus *bus, const char *unit);

typedef enum PropertyKind {
        PROPERTY_STRING,  /* char *, to be freed */
        PROPERTY_NUMBER,  /* uint64_t; UINT64_MAX is "not known" or "no limit" */
        PROPERTY_BOOL,    /* bool */
        PROPERTY_STRINGS, /* char **, for bus_free_strings(); pairs follow one another */
} PropertyKind;

typedef struct BusQuestion {
        char unit[NAME_UNIT_MAX];
        const char *interface; /* "Unit", "Socket" or "Service" */
        const char *property;
        PropertyKind kind;
        void *ret; /* left as it is without an answer */
        int error; /* of this question; negative errno */
} BusQuestion;

/* Asks all of them at once: with a thousand instances, one after the other would mostly wait.
 * systemd loads a unit that it is asked about. Returns 0 although single ones may have no answer.
 */
int bus_ask(sd_bus *bus, BusQuestion questions[], size_t n);

/* One property, as above. */
int bus_get(sd_bus *bus, const char *unit, const char *interface, const char *property,
            PropertyKind kind, void *ret);
char **bus_free_strings(char **strings);

/* Where a service has the credential of that name from, encrypted or not. NULL: it has none. */
int bus_get_credential(sd_bus *bus, const char *unit, const char *name, char **ret_path,
                       bool *ret_encrypted);

/* The TCP ports that a socket unit is to listen on, each once. */
int bus_get_listen_ports(sd_bus *bus, const char *unit, uint16_t ports[], size_t size,
                         size_t *ret_n);

typedef enum JobKind {
        JOB_START,
        JOB_STOP,
        JOB_RELOAD_OR_TRY_RESTART, /* nothing where the unit does not run */
        JOB_TRY_RESTART,           /* likewise */
} JobKind;

typedef struct BusJob {
        JobKind kind;
        char unit[NAME_UNIT_MAX];
        int error;       /* of this job: systemd did not take it */
        char result[24]; /* "done", or what systemd says instead; "" with an error */
        char *why;       /* systemd's words for the error; NULL: none */
        char *path;
} BusJob;

/* Called when more jobs have ended. */
typedef void (*bus_progress_t)(size_t n_done, size_t n, void *userdata);

/* Gives all of them to systemd and waits for all of them. 0, although single ones may fail. */
int bus_run_jobs(sd_bus *bus, BusJob jobs[], size_t n, bus_progress_t progress, void *userdata);
bool job_is_done(const BusJob *job);
void jobs_done(BusJob jobs[], size_t n);

/* As systemctl reset-failed. -ENOENT and the like for what is not in memory. */
int bus_reset_failed(sd_bus *bus, const char *unit);

/* As systemctl daemon-reload: systemd reads all unit files again, and runs generators. */
int bus_daemon_reload(sd_bus *bus);
