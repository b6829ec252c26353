/* SPDX-License-Identifier: MIT */
/* Whether a connection, and each request in it, is for this instance; refuses what isn't. */
#pragma once

#include <httpd.h>

#include "config/config.h"

/* config must live as long as connections are served. */
void admit_init(const Config *config, uint32_t instance);

/* Hooks: process_connection and post_read_request. */
int admit_connection(conn_rec *conn);
int admit_request(request_rec *request);
