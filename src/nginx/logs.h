/* SPDX-License-Identifier: MIT */
/* The access log, in the format of Apache instances, and the error log, in nginx's own. */
#pragma once

#include <stdbool.h>

#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_http.h>

/* Each time nginx has read its configuration: replaces its error log. instance: the caller keeps
 * it. */
void logs_open(ngx_cycle_t *cycle, const char *instance, bool are_files);

/* Call it in a worker, before its first request. The lines of one round of its event loop go to
 * bellhop-log together, before it sleeps. */
void logs_join(ngx_log_t *log);
/* Call it in an ending worker. */
void logs_flush(void);

/* Call it in the log phase of a request. */
void logs_write_access(ngx_http_request_t *request);
