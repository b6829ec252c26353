/* SPDX-License-Identifier: MIT */
/* What systemd has of an instance: how that ends, as steps, and how another name gets it. False:
 * not all is done, which is printed. */
#pragma once

#include "ctl/change/change.h"

/* Stops hand-off socket, service and stand-in, once requests in progress are finished. */
bool ending_stop(Change *change, const char *name);

/* An instance that gets the name later has no network by what systemd knows of this one. */
bool ending_forget_network(Change *change, const char *name);

/* Removes drop-ins and properties of the units. */
bool ending_forget_settings(Change *change, const char *name);

/* Keeps the usage of the instance, by a name that no later instance gets. */
bool ending_close_account(Change *change, const char *name);

/* Files of the units, and folders of drop-ins and properties: calls use() with each that is there,
 * until it returns another value than 0, which is then returned. */
int settings_find(const char *name, int (*use)(const char *place, void *userdata), void *userdata);

/* Copies them for the units of another name, which systemd has not loaded yet. */
bool settings_copy(const char *from, const char *to);
