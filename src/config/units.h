/* SPDX-License-Identifier: MIT */
/*
 * What systemd must be told of an instance that the templates can't say: that bellhop.target wants
 * its hand-off socket at boot, and a drop-in for bellhop@NAME.service where the instance needs one
 * (Network=yes). Both are files in a folder for generated units. A generator may call this, so
 * nothing here asks systemd anything. No daemon-reload is needed to add an instance at run time:
 * its drop-in is written before its unit is loaded for the first time.
 */
#pragma once

#include <stdbool.h>

/* Where generators write, and where systemd reads while the machine runs. */
#define UNITS_GENERATED_DIR "/run/systemd/generator"

/* Writes or removes the drop-in of an instance, as Network= says. Returns 0 or a negative errno. */
int units_write(const char *dir, const char *name, bool network);

/* Whether units_write() would change anything. */
bool units_differ(const char *dir, const char *name, bool network);

/* The same after bellhop.target wants the socket, which it does even if the rest fails. */
int units_write_wanted(const char *dir, const char *name, bool network);

/*
 * Makes systemd see what has changed in UNITS_GENERATED_DIR when it loads a unit the next time,
 * without a daemon-reload. A loaded unit stays as it is: it must be stopped first, together with
 * its socket, and nothing may want it, as bellhop.target wants those that it knew at boot.
 */
int units_announce(void);
