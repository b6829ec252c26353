/* SPDX-License-Identifier: MIT */
/* Finds facts about a configuration that only the server itself knows, for bellhopctl check: see
 * instance/verdict.h. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* Whether bellhopctl check has started this test of the configuration. If so, call judge_run(). */
bool judge_is_wanted(void);

/* Finds the facts, and writes them to standard output. */
void judge_run(apr_pool_t *pool, server_rec *servers);
