/* SPDX-License-Identifier: MIT */
/* Finds facts about the configuration, and reports them to bellhopctl check. Only the server itself
 * can find these facts: see instance/verdict.h. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* Whether bellhopctl check has started this process. If so, call judge_run(). */
bool judge_is_wanted(void);

/* Finds the facts, and writes them to standard output. */
void judge_run(apr_pool_t *pool, server_rec *servers);
