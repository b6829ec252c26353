/* SPDX-License-Identifier: MIT */
/* Functions that remove an instance from systemd and bellhop-usage, and announce their steps, or
 * copy its settings in systemd to another name. Functions that return false have not done
 * everything, and have printed an error. */
#pragma once

#include "ctl/change/change.h"

/* Waits until requests in progress are finished, and stops the hand-off socket, service and
 * stand-in. */
bool ending_stop(Change *change, const char *name);

/* Removes the network of an instance from systemd, so that a later instance with the name does not
 * inherit the network. */
bool ending_forget_network(Change *change, const char *name);

/* Removes unit files, drop-ins and properties that root made for the instance's units. */
bool ending_forget_settings(Change *change, const char *name);

/* Keeps the usage of the instance under a name that no later instance gets. */
bool ending_close_account(Change *change, const char *name);

/* Calls use() with each unit file, and each folder of drop-ins or properties, that exists for the
 * instance. Stops when use() returns a value other than 0, and returns this value. */
int settings_find(const char *name, int (*use)(const char *place, void *userdata), void *userdata);

/* Copies the files and folders of settings_find() from one name to another. systemd must not have
 * loaded the units of the other name yet. */
bool settings_copy(const char *from, const char *to);
