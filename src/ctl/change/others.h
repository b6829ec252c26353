/* SPDX-License-Identifier: MIT */
/* Reloads the servers of other instances after a change of one instance's hosts. */
#pragma once

#include "config/config.h"
#include "ctl/change/change.h"

/*
 * If an instance has wildcards or Default=yes, its server reads the hosts of other instances, and
 * does not answer for them. Reloads each such server that read these hosts before they changed.
 * Without the reload, it would still answer, on open connections, for a host that the router now
 * sends to another instance. Call this after the router has read the changed files. without: the
 * number of an instance to ignore, or ROUTE_NONE. Prints errors. False: not all servers were
 * reloaded.
 */
bool others_reload(Change *change, Config *config, uint32_t without);
