/* SPDX-License-Identifier: MIT */
/*
 * The instances of a configuration: reads their files, checks their users, and puts their routes
 * beside each other. A file with a mistake leaves out its instance and no other.
 */
#pragma once

#include "config/config.h"

/* Where a route of the map comes from, as origin of the map: instance number and line. */
#define ORIGIN_LINE_BITS 32

/* All of DIR/instances. old: as for config_load(). Returns 0 or a negative errno. */
int instances_load(Config *config, const char *dir, ConfigUsers check, const Config *old);

/* DIR/instances/NAME.conf alone, which may not exist. *ret_alone: no other file can change which
 * hosts lead to it. Returns 0 or a negative errno. */
int instances_load_one(Config *config, const char *dir, const char *name, bool *ret_alone);
