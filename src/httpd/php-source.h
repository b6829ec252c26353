/* SPDX-License-Identifier: MIT */
/* Prevents that the source of a PHP program is sent, whatever handler or type a customer's files
 * name. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* handler: of PHP here, as in SetHandler. */
void php_source_set_handler(const char *handler);

void php_source_register_hooks(void);

/* Whether this request has our handler, in or after the hooks. */
bool php_source_is_chosen(const request_rec *request);
