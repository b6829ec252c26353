/* SPDX-License-Identifier: MIT */
/* The source of a PHP program is never sent, whatever handler or type a customer's files name. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

/* handler: what runs PHP here, in the words of SetHandler. */
void php_source_set_handler(const char *handler);

void php_source_register_hooks(void);

/* Whether the handler of this request is ours, in or after the hooks. */
bool php_source_is_chosen(const request_rec *request);
