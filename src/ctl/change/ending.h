/* SPDX-License-Identifier: MIT */
/* Removes, in steps, the data of an instance in systemd, or gives it to another name. False: not
 * everything is done, which is printed. */
#pragma once

#include "ctl/change/change.h"

/* Stops hand-off socket, service and stand-in after requests in progress are finished. */
bool ending_stop(Change *change, const char *name);

/* After this, a later instance with the name does not inherit the network from systemd. */
bool ending_forget_network(Change *change, const char *name);

/* Removes drop-ins and properties of the units. */
bool ending_forget_settings(Change *change, const char *name);

/* Keeps the usage of the instance under a name that no later instance gets. */
bool ending_close_account(Change *change, const char *name);

/* Calls use() with each existing unit file and folder of drop-ins and properties, until it returns
 * a value other than 0, and returns this value. */
int settings_find(const char *name, int (*use)(const char *place, void *userdata), void *userdata);

/* Copies these files and folders for the units of another name, which systemd has not loaded yet.
 */
bool settings_copy(const char *from, const char *to);
