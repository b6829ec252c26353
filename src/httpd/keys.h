/* SPDX-License-Identifier: MIT */
/* Whether the private key of an instance is its own alone. */
#pragma once

#include <httpd.h>

/* Logs, and lets it be: a site that serves is worth more than one that is down for its modes. */
void keys_warn(server_rec *server, const char *config_dir, const char *instance);
