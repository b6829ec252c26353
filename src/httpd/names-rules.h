/* SPDX-License-Identifier: MIT */
/* Access rules by client name, for instances that can't resolve names. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include <http_config.h>

/* Puts our providers before those of mod_authz_host, which must already be loaded. */
void names_rules_init(apr_pool_t *pool);

/* Whether the instance can resolve names (not with Network=no); if so, nothing is changed. */
void names_rules_set_network(bool has_network);

void *names_rules_make_dir(apr_pool_t *pool, char *folder);
const char *names_rules_note(cmd_parms *cmd, void *rules, const char *arguments);

/* Whether a directive needs client names. */
bool names_rules_is_one(apr_pool_t *pool, const ap_directive_t *directive);

void names_rules_register_hooks(void);
