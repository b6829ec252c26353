/* SPDX-License-Identifier: MIT */
/* Finds out whether this machine has the files that a type of server needs. */
#pragma once

#include "config/config.h"

/* The names, for people, of the packages that contain a server and its module. */
extern const char *const server_packages[SERVER_TYPES];

/* The first missing file that a server of this type needs; NULL: none is missing. */
const char *server_lacks(ServerType server);
