/* SPDX-License-Identifier: MIT */
/* Ends an instance in systemd and bellhop-usage, in steps, or copies its settings in systemd to
 * another name. False: not everything is done, and an error is printed. */
#pragma once

#include "ctl/change/change.h"

/* Stops hand-off socket, service and stand-in after requests in progress are finished. */
bool ending_stop(Change *change, const char *name);

/* Removes the network of an instance from systemd, so that a later instance with the name does not
 * inherit the network. */
bool ending_forget_network(Change *change, const char *name);

/* Removes drop-ins and properties of the units. */
bool ending_forget_settings(Change *change, const char *name);

/* Keeps the usage of the instance under a name that no later instance gets. */
bool ending_close_account(Change *change, const char *name);

/* Calls use() with each unit file, and each folder of drop-ins or properties, that exists for the
 * instance. Stops when use() returns a value other than 0, and returns this value. */
int settings_find(const char *name, int (*use)(const char *place, void *userdata), void *userdata);

/* Copies these files and folders to another name. systemd must not have loaded the units of that
 * name yet. */
bool settings_copy(const char *from, const char *to);
