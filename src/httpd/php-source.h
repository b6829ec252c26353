/* SPDX-License-Identifier: MIT */
/* Ensures that no client gets the source of a PHP program, even if a customer's files name another
 * handler or type. */
#pragma once

/* handler: the handler that runs PHP, as in SetHandler. */
void php_source_set_handler(const char *handler);

void php_source_register_hooks(void);
