/* SPDX-License-Identifier: MIT */
/* What a change of one instance's hosts means for the others. */
#pragma once

#include "config/config.h"
#include "ctl/change/change.h"

/*
 * Reloads the servers that know other hosts of other instances than config has. On connections that
 * are open already, they would go on to answer for hosts that the router sends elsewhere now. To be
 * called when the router has read the files. without: as in config_digest_others(). Prints what is
 * wrong; false: not all were reloaded.
 */
bool others_reload(Change *change, Config *config, uint32_t without);
