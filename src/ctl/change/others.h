/* SPDX-License-Identifier: MIT */
/* Effects of a change of one instance's hosts on the other instances. */
#pragma once

#include "config/config.h"
#include "ctl/change/change.h"

/*
 * Reloads the servers whose hosts of other instances differ from config. Otherwise they would still
 * answer, on open connections, for hosts that the router now sends to another instance. Call it
 * after the router has read the files. without: as in config_digest_others(). Prints errors; false:
 * not all were reloaded.
 */
bool others_reload(Change *change, Config *config, uint32_t without);
