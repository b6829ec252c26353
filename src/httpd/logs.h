/* SPDX-License-Identifier: MIT */
/* The logs in the journal: `ErrorLog journal:` and `CustomLog journal: FORMAT`. */
#pragma once

#include <httpd.h>

/* Takes both from their writers in Apache. Call it when all directives are read (BufferedLogs sets
 * the writer of access logs, too) and before logs are opened. instance must outlive all requests.
 */
void logs_init(server_rec *server, const char *instance);

/* From now on lines go to the journal, until the pool is cleared. */
void logs_open(apr_pool_t *pool);

/* In a new child. */
void logs_join(void);

void logs_register_hooks(void);
