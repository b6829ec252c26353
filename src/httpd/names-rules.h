/* SPDX-License-Identifier: MIT */
/* Enforces access rules that name clients by their host names, in instances that can't resolve
 * names. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include <http_config.h>

/* Replaces the providers of mod_authz_host, which must already be loaded, by those of this module.
 * The new providers call the replaced ones. */
void names_rules_init(apr_pool_t *pool);

/* has_network: whether the instance can resolve names, which is false with Network=no. If the
 * instance can resolve names, the rules work as in any Apache. */
void names_rules_set_network(bool has_network);

void *names_rules_make_dir(apr_pool_t *pool, char *folder);
const char *names_rules_note(cmd_parms *cmd, void *rules, const char *arguments);

/* Whether a directive needs the host names of clients. */
bool names_rules_is_one(apr_pool_t *pool, const ap_directive_t *directive);

void names_rules_register_hooks(void);
