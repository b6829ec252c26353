/* SPDX-License-Identifier: MIT */
/* Access rules by the name of the client, where names can't be resolved. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include <http_config.h>

/* Puts our providers in front of those of mod_authz_host, which is loaded by then. */
void names_rules_init(apr_pool_t *pool);

/* Whether the instance can ask for names (Network=yes): then nothing is changed. */
void names_rules_set_network(bool has_network);

void *names_rules_make_dir(apr_pool_t *pool, char *folder);
const char *names_rules_note(cmd_parms *cmd, void *rules, const char *arguments);

/* Whether a directive needs the names of clients. */
bool names_rules_is_one(apr_pool_t *pool, const ap_directive_t *directive);

void names_rules_register_hooks(void);
