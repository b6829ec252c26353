/* SPDX-License-Identifier: MIT */
/* The functions ending_...() remove an instance from systemd and bellhop-usage, and announce their
 * steps. The functions settings_...() find and copy its settings in systemd. False: not everything
 * was done, and an error was printed. */
#pragma once

#include "ctl/change/change.h"

/* Stops all units of the instance. Its service first finishes the requests in progress. */
bool ending_stop(Change *change, const char *name);

/* Removes the Network= of an instance from systemd, so that a later instance with the same name
 * does not inherit it. */
bool ending_forget_network(Change *change, const char *name);

/* Removes unit files, drop-ins and properties that root made for the instance's units. */
bool ending_forget_settings(Change *change, const char *name);

/* Makes bellhop-usage keep the usage of the instance under another name, which no later instance
 * can have. */
bool ending_close_account(Change *change, const char *name);

/* Calls use() with each unit file, and each folder of drop-ins or properties, that exists for the
 * instance. Stops when use() returns a value other than 0, and returns this value. */
int settings_find(const char *name, int (*use)(const char *place, void *userdata), void *userdata);

/* Copies the unit files, drop-ins and properties that settings_find() finds for the instance
 * 'from', so that the instance 'to' has them, too. Call this before systemd loads the units of
 * 'to': a loaded unit would not get the settings. */
bool settings_copy(const char *from, const char *to);
