/* SPDX-License-Identifier: MIT */
/* Brings a change of one instance's hosts into force in the servers of the other instances. */
#pragma once

#include "config/config.h"
#include "ctl/change/change.h"

/*
 * Reloads each server that has read an older list of other instances' hosts. Without the reload, on
 * open connections, the server would still answer for a host that the router now sends to another
 * instance. Call this after the router has read the files. without: as in config_digest_others().
 * Prints errors. False: not all servers were reloaded.
 */
bool others_reload(Change *change, Config *config, uint32_t without);
