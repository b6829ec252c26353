/* SPDX-License-Identifier: MIT */
/*
 * Many questions to systemd, or many jobs, at once: with a thousand customers, one after the other
 * would mostly wait. Does not log.
 */
#pragma once

#include "ctl/ask/bus.h"

typedef enum PropertyKind {
        PROPERTY_STRING, /* char *, the caller's to free */
        PROPERTY_NUMBER, /* uint64_t; UINT64_MAX is "not known" or "no limit" */
        PROPERTY_BOOL,   /* bool */
        /* uint64_t: of commands (ExecReload=), when one of them was last begun; 0: none was */
        PROPERTY_LAST_BEGIN,
} PropertyKind;

typedef struct BusQuestion {
        char unit[UNIT_NAME_MAX];
        const char *interface; /* as for bus_get_string() */
        const char *property;
        PropertyKind kind;
        void *ret; /* left alone if there is no answer */
        int error; /* of this one; negative errno */
} BusQuestion;

/* 0, although single questions may have no answer. */
int bus_ask_many(sd_bus *bus, BusQuestion questions[], size_t n);

typedef enum JobKind {
        JOB_START,
        JOB_STOP,
        JOB_RELOAD_OR_TRY_RESTART, /* where it runs; else nothing */
        JOB_TRY_RESTART,
} JobKind;

typedef struct BusJob {
        JobKind kind;
        char unit[UNIT_NAME_MAX];
        int error;       /* of this one: systemd did not take it */
        char result[24]; /* "done", or what systemd says instead; "" with an error */
        char *why;       /* systemd's words for the error, the caller's to free */
        char *path;
} BusJob;

/* Called when another one has ended. */
typedef void (*bus_progress_t)(size_t n_done, size_t n, void *userdata);

/* Gives all of them to systemd and waits for all of them. 0, although single ones may fail. */
int bus_run_jobs(sd_bus *bus, BusJob jobs[], size_t n, bus_progress_t progress, void *userdata);
bool job_is_done(const BusJob *job);
void jobs_done(BusJob jobs[], size_t n);

/* As systemctl reset-failed. -ENOENT and the like for what is not in memory. */
int bus_reset_failed(sd_bus *bus, const char *unit);

/* As systemctl daemon-reload: systemd reads all unit files again, and runs generators. */
int bus_daemon_reload(sd_bus *bus);
