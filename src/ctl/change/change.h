/* SPDX-License-Identifier: MIT */
/*
 * Shared by the verbs that change something. Only one runs at a time, and it announces each step
 * before it does the step. The functions print errors themselves.
 */
#pragma once

#include "config/config.h"
#include "ctl/ask/bus.h"
#include "ctl/show/output.h"

#define ROUTER_SERVICE "bellhop-router.service"

typedef struct Change {
        const Ctl *ctl;
        Output output;
        sd_bus *bus;
        int lock;
        Table steps; /* collected with --json */
        size_t n_steps;
} Change;

/* Waits for other verbs that change something. Without root: CTL_FAILED, except for --dry-run.
 * Always call change_done(). */
CtlStatus change_begin(const Ctl *ctl, Change *ret);
CtlStatus change_done(Change *change, CtlStatus status);

/* CTL_FAILED if bellhop is not active, because a change would not serve any client. */
CtlStatus change_check_served(const Change *change);

/* Announces the next step; kind is a word for programs. False: with --dry-run, the step must not be
 * done. */
bool change_step(Change *change, const char *kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The last line of text for people, if any: with --dry-run, that nothing was done. */
void change_say_end(const Change *change, const char *nothing_to_do);

/* Whether a signal asked us to end. After change_begin(), signals wait until the step is done. */
bool change_is_interrupted(void);

/* Call this before a wait: from then on, other verbs can change something, and signals end the
 * process. */
void change_let_others(Change *change);

/* Prints and returns CTL_USAGE if no instance can have that name. */
CtlStatus change_check_name(const char *name);

/* Prints why the configuration has no instance of that name, and returns CTL_FAILED. */
CtlStatus change_explain_missing(const Config *config, const char *name, bool has_file);

/* Prints how to continue after a failed step, and returns CTL_FAILED. */
CtlStatus change_not_done(void);

/* True if r is not negative; otherwise prints "what: why." */
bool change_good(const char *what, int r);

/* Reads a file for editing; *ret is to be freed, and ends with a NUL. False: the file can't be
 * read, or is a symbolic link, which the edited file would replace. */
bool change_read_file(const char *path, char **ret, size_t *ret_size);

/* Runs systemctl(1) with all these units; verb: "start", "try-restart", ... False: it failed for at
 * least one unit. */
bool change_units(const char *verb, char units[][NAME_UNIT_MAX], size_t n);
bool change_unit(const char *verb, const char *unit);

/* Whether bellhop.target wants the units of an instance, so systemd keeps them as they were at the
 * boot or the last daemon-reload. True also without memory. */
bool change_keeps_units(const char *name);
/* A daemon-reload, as a step. */
bool change_read_unit_files(Change *change);

/* Has the router read all changes; a router that is not running reads them at its start. False: the
 * router could not read the files. */
bool change_reload_router(const Change *change);

/* Has the server of an instance read its certificate again, if it is running. */
bool change_renew_server(sd_bus *bus, const char *config_dir, const char *name);
