/* SPDX-License-Identifier: MIT */
/* Adds missing ports, certificates and document roots to virtual hosts in snippets. Makes virtual
 * hosts for hosts that have their own folder. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include <http_config.h>

/* If BellhopHosts is set, completes and sorts the sections <VirtualHost> in ap_conftree. Call this
 * when Apache has read the tree, but has not yet processed it. */
void vhosts_arrange(apr_pool_t *pool);

/* Whether the document root is the host's own folder. */
bool vhosts_is_folder_of(const char *document_root, const char *host);

/* Returns the Listen directives of the tree, which have no effect, or NULL if there are none. */
const ap_directive_t *vhosts_unused_listen(void);

/* Whether a directive is a section that is a copy of another section in the tree, with the same
 * contents. */
bool vhosts_is_copy(const ap_directive_t *directive);
