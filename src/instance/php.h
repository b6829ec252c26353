/* SPDX-License-Identifier: MIT */
/* Runs the customer's PHP, if PHP-FPM is installed. The supervisor holds the socket of PHP-FPM, and
 * starts PHP-FPM at the first request. Requests that wait in the socket are not lost when a process
 * ends. */
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
        sd_event_source *requests;         /* watches the socket while no process takes requests */
        LIST_HEAD(, PhpProcess) processes; /* the newest first */
        PhpProcess *current; /* takes requests; NULL: none yet. The other processes finish their
                                requests */
        uint64_t ended_usec; /* when a current process last ended unexpectedly, CLOCK_MONOTONIC */
        unsigned n_ends;     /* number of unexpected ends in short succession */
        int log[2];          /* the pipe to which PHP-FPM writes its log: read, write */
        sd_event_source *log_source;
        char log_text[4096]; /* the beginning of a line that is not complete yet */
        size_t log_size;
} Php;

void php_init(Php *php, sd_event *event, const Context *context);

/* Call it at the start and at each reload. Looks for PHP-FPM and its configuration again. A running
 * process finishes its requests, and the next request starts a new process. Logs errors but never
 * fails, because an instance without PHP is better than none. */
void php_load(Php *php);

/* Makes PHP-FPM finish its requests. A later request starts another process. */
void php_leave(Php *php);

/* Call it after the event loop has recorded the end of a process. Frees ended processes, and
 * refuses waiting requests if PHP does not work. */
void php_step(Php *php);

/* Whether a process is still finishing requests. */
bool php_is_leaving(const Php *php);

/* Closes the sockets and kills all remaining processes. */
void php_done(Php *php);

/* Runs "php-fpm -t", which tests the configuration that PHP-FPM would read at its start. Returns
 * the wait status of this test, 0 if there is no PHP, or a negative errno. */
int php_test(const Context *context);
