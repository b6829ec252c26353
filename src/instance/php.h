/* SPDX-License-Identifier: MIT */
/* The customer's PHP, where PHP-FPM is installed: the supervisor holds its socket, and starts it
 * with the first request. What waits in the socket outlives any process. */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "instance/child.h"
#include "instance/context.h"

typedef struct PhpProcess PhpProcess;

typedef struct Php {
        sd_event *event;
        const Context *context;
        int socket;                        /* php.sock, listening; -EBADF: there is no PHP */
        sd_event_source *requests;         /* on while no process takes them */
        LIST_HEAD(, PhpProcess) processes; /* the newest first */
        PhpProcess *current; /* takes requests; NULL: none yet. Others finish what they do */
        uint64_t ended_usec; /* when a current one ended unasked, CLOCK_MONOTONIC */
        unsigned n_ends;     /* one soon after the other */
        int log[2];          /* the pipe to which PHP-FPM writes its log: read, write */
        sd_event_source *log_source;
        char log_text[4096]; /* read, without the end of its line yet */
        size_t log_size;
} Php;

void php_init(Php *php, sd_event *event, const Context *context);

/* At the start and at each reload: looks for program and files again. A running process finishes,
 * and the next request starts another. Never fails: no PHP is better than no instance. Logs. */
void php_load(Php *php);

/* Has PHP-FPM finish what it does. A later request starts another. */
void php_leave(Php *php);

/* To be called when the event loop has seen the end of a process. */
void php_step(Php *php);

/* Whether a process still finishes what it does. */
bool php_is_leaving(const Php *php);

/* Ends what is left at once. */
void php_done(Php *php);

/* Tests the configuration of PHP-FPM as its start would read it: "php-fpm -t". Returns its wait
 * status, 0 without PHP, or a negative errno. */
int php_test(const Context *context);
