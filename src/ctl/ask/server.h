/* SPDX-License-Identifier: MIT */
/* Which servers this machine has. */
#pragma once

#include "config/config.h"

/* For people: the packages that have them. */
extern const char *const server_packages[SERVER_TYPES];

/* The first file that is missing and that such a server needs; NULL: none is. */
const char *server_lacks(ServerType server);
