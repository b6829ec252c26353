/* SPDX-License-Identifier: MIT */
/* Virtual hosts: completes what snippets leave out, and makes those of hosts with a folder of their
 * own. */
#pragma once

#include <httpd.h>

#include <http_config.h>

/* Arranges the sections in ap_conftree, which has been read and not yet been processed, if
 * BellhopHosts is set. */
void vhosts_arrange(apr_pool_t *pool);

/* The Listen directives that were in the tree, which have no effect; NULL: there was none. */
const ap_directive_t *vhosts_unused_listen(void);

/* Whether a directive is a copy of another section in the tree, with the same contents. */
bool vhosts_is_copy(const ap_directive_t *directive);
