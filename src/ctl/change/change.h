/* SPDX-License-Identifier: MIT */
/*
 * What the verbs share that change something: one at a time, and each step said before it is done.
 * The functions print what is wrong themselves.
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
        Table steps; /* with --json, where they are collected */
        size_t n_steps;
} Change;

/* Waits for others that change something. Without root: CTL_FAILED, but for --dry-run. To be ended
 * by change_done(), in each case. */
CtlStatus change_begin(const Ctl *ctl, Change *ret);
CtlStatus change_done(Change *change, CtlStatus status);

/* CTL_FAILED where bellhop is not active: nobody would be served, whatever is changed. */
CtlStatus change_check_served(const Change *change);

/* Says what is done next; kind is a word for programs. False: with --dry-run, it is only said. */
bool change_step(Change *change, const char *kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The last line of text for people, if any is wanted: with --dry-run, that nothing was done. */
void change_say_end(const Change *change, const char *nothing_to_do);

/* Whether a signal asked us to end. From change_begin() on, signals wait until the step is done. */
bool change_is_interrupted(void);

/* Before a wait: others may change something, and signals end the process. */
void change_let_others(Change *change);

/* CTL_USAGE where no instance can have that name; prints so. */
CtlStatus change_check_name(const char *name);

/* Prints why the configuration has no instance of that name, and returns CTL_FAILED. */
CtlStatus change_explain_missing(const Config *config, const char *name, bool has_file);

/* Prints how to go on after a step that has failed, and returns CTL_FAILED. */
CtlStatus change_not_done(void);

/* r is not negative; else prints "what: why." */
bool change_good(const char *what, int r);

/* Reads a file that is to be edited; *ret is to be freed, and ends with a NUL. False: it can't be
 * read, or is a symbolic link, in the place of which the edited file would come. */
bool change_read_file(const char *path, char **ret, size_t *ret_size);

/* Lets systemctl(1) do it with all these units; verb: "start", "try-restart", ... False: it has
 * failed with one of them. */
bool change_units(const char *verb, char units[][NAME_UNIT_MAX], size_t n);
bool change_unit(const char *verb, const char *unit);

/* Whether systemd keeps the units of an instance as they were at the boot or the last
 * daemon-reload: bellhop.target wants them. True also without memory to say. */
bool change_keeps_units(const char *name);
/* A daemon-reload, as a step. */
bool change_read_unit_files(Change *change);

/* Makes the router read all that was changed; a router that does not run reads it at its start.
 * False: it could not read the files at all. */
bool change_reload_router(const Change *change);

/* Makes the server of an instance read its certificate again, if it runs. */
bool change_renew_server(sd_bus *bus, const char *config_dir, const char *name);
