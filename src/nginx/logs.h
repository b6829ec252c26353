/* SPDX-License-Identifier: MIT */
/* Writes the access log in the format of Apache instances, and the error log in nginx's own format.
 */
#pragma once

#include <stdbool.h>

#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_http.h>

/* Replaces nginx's error log. Call this each time that nginx has read its configuration. instance:
 * this string must exist as long as cycle. If are_files is true, lines go to bellhop-log(8), which
 * writes files; otherwise they go to the journal. */
void logs_open(ngx_cycle_t *cycle, const char *instance, bool are_files);

/* Call this in a worker, before its first request. The worker then collects the lines of each round
 * of its event loop, and sends them to bellhop-log together before it sleeps. */
void logs_join(ngx_log_t *log);
/* Sends the collected lines. Call this when a worker ends. */
void logs_flush(void);

/* Call this in the log phase of a request. */
void logs_write_access(ngx_http_request_t *request);
