/* SPDX-License-Identifier: MIT */
/*
 * What the verbs share that change something: one at a time, each step said before it is done, and
 * steps that are done as a whole or not at all, however they end. The functions say themselves what
 * is wrong, but where it is said otherwise.
 */
#pragma once

#include "ctl/ask/bus-many.h"
#include "ctl/show/output.h"

typedef struct Change {
        const Ctl *ctl;
        Output output;
        sd_bus *bus;
        int lock;
        Table *steps; /* NULL: they are said, not collected */
        size_t n_steps;
        bool failed; /* there was no memory to collect one */
} Change;

/* Waits for others that change something. Without root: CTL_FAILED, but for --dry-run. To be ended
 * by change_done(), in each case. */
CtlStatus change_begin(const Ctl *ctl, Change *ret);
CtlStatus change_done(Change *change, CtlStatus status);

/* CTL_FAILED where bellhop is not active: nobody would be served, whatever is changed. */
CtlStatus change_check_served(const Change *change);

/* Says what is done next, or with --dry-run, would be; kind is a word for programs. */
void change_say(Change *change, const char *kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* A signal asked us to end. From change_begin() on, it waits for that until the step is done. */
bool change_is_interrupted(void);

/* "what: why." CTL_FAILED. */
CtlStatus change_fail(const char *what, int error);

/* Whole or not there, owned by root and readable by all. Does not
 * say what is wrong: negative errno. */
int file_write(const char *path, const char *text);
int file_remove(const char *path);

/* A folder of the user's in one of root's: there with all that fill() puts in, or not at all. Does
 * not say what is wrong. */
int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid));

/* A program, with what it says only if it fails. False: it has failed. */
bool program_run(const char *const arguments[]);

/* One job, or many. False: one of them has failed. */
bool change_job(Change *change, JobKind kind, const char *unit);
bool change_jobs(Change *change, const char *doing, BusJob jobs[], size_t n);

/* After all that was changed. False: it could not read the files at all. */
bool change_reload_router(Change *change);
