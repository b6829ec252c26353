/* SPDX-License-Identifier: MIT */
/* Brings a change of one instance's hosts into force in the servers of the other instances. */
#pragma once

#include "config/config.h"
#include "ctl/change/change.h"

/*
 * Reloads each server that has read an older list of other instances' hosts. Without the reload,
 * such a server would still answer, on open connections, for a host that the router now sends to
 * another instance. Call this after the router has read the files. without: the number of an
 * instance to ignore, or ROUTE_NONE. Prints errors. False: not all servers were reloaded.
 */
bool others_reload(Change *change, Config *config, uint32_t without);
