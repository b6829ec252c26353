/* SPDX-License-Identifier: MIT */
/*
 * Raises the fence of this instance while its configuration is read: what is read, loaded or
 * started after `BellhopFence NAME DIR` is behind it, the customer's own modules and programs
 * included.
 */
#pragma once

#include <http_config.h>

const char *confine(cmd_parms *cmd, void *unused, const char *name, const char *config_dir);
