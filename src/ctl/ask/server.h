/* SPDX-License-Identifier: MIT */
/* Which servers this machine has. */
#pragma once

#include "config/config.h"

/* For people: the packages that contain them. */
extern const char *const server_packages[SERVER_TYPES];

/* The first missing file that a server of this type needs; NULL: none is missing. */
const char *server_lacks(ServerType server);
