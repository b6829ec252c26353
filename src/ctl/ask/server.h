/* SPDX-License-Identifier: MIT */
/* Finds out whether this machine has the files of a server. */
#pragma once

#include "config/config.h"

/* The packages that contain a server and its module, for people. */
extern const char *const server_packages[SERVER_TYPES];

/* The first missing file that a server of this type needs; NULL: none is missing. */
const char *server_lacks(ServerType server);
