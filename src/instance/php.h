/* SPDX-License-Identifier: MIT */
/*
 * The customer's PHP, where PHP-FPM is installed: the supervisor holds its socket, and starts
 * PHP-FPM with the first request. What waits in the socket outlives a process that ends or is told
 * to.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

typedef struct PhpProcess PhpProcess;

/* The strings live as long as the instance. */
typedef struct PhpSettings {
        const char *instance;
        const char *config_dir;
        const char *runtime_dir; /* php.sock is in it */
        const char *state_dir;   /* sessions are below it; NULL: nowhere */
        const char *program;     /* NULL: the newest that is installed */
} PhpSettings;

typedef struct Php {
        sd_event *event;
        const PhpSettings *settings;
        void (*on_end)(void *userdata); /* one of those that were leaving has ended */
        void *userdata;
        int socket;                      /* listening; -EBADF: there is no PHP */
        sd_event_source *requests;       /* on while no process takes them */
        PhpProcess *current;             /* takes requests; NULL: none yet */
        LIST_HEAD(, PhpProcess) leaving; /* have been told to end, and finish what they do */
        uint64_t ended_usec;             /* when a current one ended unasked, CLOCK_MONOTONIC */
        unsigned n_ends;                 /* one soon after the other */
} Php;

void php_init(Php *php, sd_event *event, const PhpSettings *settings,
              void (*on_end)(void *userdata), void *userdata);

/* At the start and at each reload: looks for program and files again. A process that runs finishes
 * what it does, and the next request starts another. An instance without PHP is better than none,
 * so this can't fail. Logs. */
void php_load(Php *php);

/* Tells PHP-FPM to finish what it does. A request that comes later starts another. */
void php_leave(Php *php);

/* Whether a process still finishes what it does. */
bool php_is_leaving(const Php *php);

/* Ends what is left at once. */
void php_done(Php *php);

/* Tests the configuration of PHP-FPM as its start would read it: "php-fpm -t". Returns its wait
 * status, 0 without PHP, or a negative errno. */
int php_test(const PhpSettings *settings);
