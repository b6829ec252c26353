/* SPDX-License-Identifier: MIT */
/*
 * What systemd must know of an instance that its template can't: a drop-in, in a folder for
 * generated units. The one place that knows what it says.
 */
#pragma once

#include "config/config.h"

/* Where generators write, and where it is read from while the machine runs. */
#define UNITS_GENERATED_DIR "/run/systemd/generator"

/* Makes the drop-in of the instance say what its file says; without need of it, there is none. */
int units_write(const char *dir, const Instance *instance);

/* Whether units_write() would change anything. */
bool units_differ(const char *dir, const Instance *instance);

/* There is no such instance any more. */
int units_remove(const char *dir, const char *name);

/*
 * Makes systemd see what has changed in UNITS_GENERATED_DIR when it loads a unit the next time,
 * without a daemon-reload. A unit that is loaded stays as it is: it must be stopped first, together
 * with its socket, and be wanted by nobody, as those are that bellhop.target knew at boot.
 */
int units_announce(void);
