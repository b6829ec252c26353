/* SPDX-License-Identifier: MIT */
/* Effects of a change of one instance's hosts on the other instances. */
#pragma once

#include "config/config.h"
#include "ctl/change/change.h"

/*
 * Reloads the servers that know other hosts of other instances than config has. Otherwise, on open
 * connections, they would still answer for hosts that the router now sends to another instance.
 * Call it after the router has read the files. without: as in config_digest_others(). Prints
 * errors; false: not all were reloaded.
 */
bool others_reload(Change *change, Config *config, uint32_t without);
