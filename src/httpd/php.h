/* SPDX-License-Identifier: MIT */
/*
 * The customer's PHP, where PHP-FPM is installed: a socket, and the process that takes requests
 * from it. That is bellhop-php at first, which waits for a request and then becomes PHP-FPM. All of
 * it in the parent's main thread.
 */
#pragma once

#include <httpd.h>

typedef struct PhpProcess PhpProcess;

/* What outlives a reload. */
typedef struct Php {
        int socket;          /* listening; -EBADF: there is no PHP */
        int output;          /* where the server's went before it had a log */
        PhpProcess *current; /* takes requests; NULL: none yet */
        PhpProcess *leaving; /* have been told to end, and finish what they do */
        uint64_t ended_usec; /* when a current one ended unasked */
        unsigned n_ends;     /* one soon after the other */
} Php;

typedef struct PhpSettings {
        const char *instance;
        const char *config_dir;
        const char *socket;  /* path */
        const char *program; /* bellhop-php */
} PhpSettings;

/* Once in the life of the server, before it opens logs. */
void php_init(Php *php);

/* At each start and reload; settings must live as long as pconf. What runs is replaced, and
 * finishes what it does. A site without PHP is better than none, so this can't fail. Logs. */
void php_set_up(Php *php, const PhpSettings *settings, apr_pool_t *pconf, server_rec *server);

/* As often as you like: there is a process that takes requests. Logs. */
void php_run(Php *php);

/* Requests in progress, and work behind their response, are finished, but not beyond that time of
 * CLOCK_MONOTONIC. */
void php_end(Php *php, uint64_t until_usec);

/* Whether PHP-FPM takes its configuration, as it says on standard error. True without PHP. */
bool php_try(const PhpSettings *settings, apr_pool_t *pool);
