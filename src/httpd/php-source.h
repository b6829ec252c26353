/* SPDX-License-Identifier: MIT */
/* Ensures that no client gets the source of a PHP program, even if a customer's files name another
 * handler or type. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* handler: the handler that runs PHP, as in SetHandler. */
void php_source_set_handler(const char *handler);

void php_source_register_hooks(void);

/* Whether this request has the handler that runs PHP. Valid while the handler hooks run, and after
 * them. */
bool php_source_is_chosen(const request_rec *request);
