/* SPDX-License-Identifier: MIT */
/*
 * Functions for the verbs of bellhopctl that change something, such as add and set. Only one of
 * these verbs runs at a time. A verb announces each step before it does the step. The functions
 * print errors themselves.
 */
#pragma once

#include "config/config.h"
#include "ctl/ask/bus.h"
#include "ctl/change/files.h"
#include "ctl/show/output.h"

#define ROUTER_SERVICE "bellhop-router.service"

typedef struct Change {
        const Ctl *ctl;
        Output output;
        sd_bus *bus;
        int lock;
        Table steps; /* the announced steps; only with --json */
        size_t n_steps;
} Change;

/* Takes a lock, so that only one verb changes something at a time. Fails if the user is not root.
 * With --dry-run, works for all users, and takes no lock. Always call change_done(). */
CtlStatus change_begin(const Ctl *ctl, Change *ret);
CtlStatus change_done(Change *change, CtlStatus status);

/* Checks that the socket for clients, bellhop-router.socket, is active. Without this socket, no
 * client would be served. */
CtlStatus change_check_served(const Change *change);

/* Announces the next step. kind: one word for the kind of step, for programs that read the output
 * of --json. Returns false with --dry-run: the caller must not do the step. */
bool change_step(Change *change, const char *kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Prints the text nothing_to_do if there was no step. With --dry-run, prints "This is what would be
 * done." after the steps. Prints nothing with --json or --no-legend. */
void change_say_end(const Change *change, const char *nothing_to_do);

/* Whether a signal asked us to end. After change_begin(), a signal does not end the process, so
 * each step is completed. */
bool change_is_interrupted(void);

/* Call this before a long wait. After the call, other verbs can change something, and signals end
 * the process. */
void change_let_others(Change *change);

/* Prints an error and returns CTL_USAGE if no instance can have that name. */
CtlStatus change_check_name(const char *name);

/* Prints why the configuration has no instance of that name, and returns CTL_FAILED. has_file: the
 * instance's file exists, so the file has a mistake. config: contains the mistake; not used if
 * has_file is false. */
CtlStatus change_explain_missing(const Config *config, const char *name, bool has_file);

/* Prints how to continue after a failed step, and returns CTL_FAILED. */
CtlStatus change_not_done(void);

/* Returns true if r is not negative. Otherwise prints "what: ", followed by the message for the
 * errno -r. */
bool change_good(const char *what, int r);

/* Reads a file for editing; *ret is to be freed, and ends with a NUL. False: the file can't be
 * read, or is a symbolic link, which file_write() would replace. */
bool change_read_file(const char *path, char **ret, size_t *ret_size);

/* Runs systemctl(1) for all these units. verb: its command, such as "try-restart". False: it failed
 * for at least one unit. */
bool change_units(const char *verb, char units[][NAME_UNIT_MAX], size_t n);
bool change_unit(const char *verb, const char *unit);
/* Waits until an instance that starts has started or failed. systemctl(1) reloads only a unit that
 * is active, but a server that starts may have read its files just before they changed. */
void change_await_start(sd_bus *bus, const char *unit);

/* If a failure of systemctl(1) does not mean that the verb has no effect: change_try_unit() prints
 * no error, and change_say_failed() prints it and returns false. */
bool change_try_unit(const char *verb, const char *unit, char ret_error[static PROGRAM_ERROR_MAX]);
bool change_say_failed(const char *unit, const char *error);

/* Whether bellhop.target wants the hand-off socket of an instance. If so, systemd keeps the
 * instance's units loaded, with the settings that they had at the boot or the last daemon-reload.
 * Also true if memory runs out. */
bool change_keeps_units(const char *name);
/* Runs a daemon-reload, as a step. */
bool change_read_unit_files(Change *change);

/* Makes the router read all changes. A router that is not running reads them at its start. If
 * systemctl(1) fails, asks the router. False: the router has not read the files, or does not
 * answer. */
bool change_reload_router(const Change *change);

/* If the server of an instance is running, makes the server read its certificate again. */
bool change_renew_server(sd_bus *bus, const char *config_dir, const char *name);
