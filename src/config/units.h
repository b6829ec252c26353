/* SPDX-License-Identifier: MIT */
/* Units of an instance beyond the templates: bellhop.target wants its hand-off socket at boot, and
 * an instance with a network needs a drop-in for bellhop@NAME.service. The drop-in is a link to a
 * file that all instances with the same Network= share. Asks systemd nothing, because generators
 * must not. A new instance needs no daemon-reload: its drop-in precedes the first load of its unit.
 */
#pragma once

#include "config/config.h"

/* The folder where generators write, and systemd reads while the machine is running. */
#define UNITS_GENERATED_DIR "/run/systemd/generator"

/* Not below the former folder, which each daemon-reload removes while instances use this one. */
#define UNITS_SBIN_COPIES "/run/bellhop-sbin"

/* Writes or removes the drop-in of an instance, as Network= says. Returns 0 or a negative errno. */
int units_write(const char *dir, const char *name, Network network);

/* Whether units_write() would change anything. */
bool units_differ(const char *dir, const char *name, Network network);

/* The same, but first makes bellhop.target want the socket, even if the rest fails. */
int units_write_wanted(const char *dir, const char *name, Network network);

/* Writes the drop-in of the template that puts our sendmail into sbin, the machine's /usr/sbin, for
 * instances. If sbin has no sendmail, systemd would create one on the machine itself; so the
 * drop-in replaces the whole folder by a folder of links, which is made below copies. Returns 0 or
 * a negative errno. */
int units_write_sendmail(const char *dir, const char *sbin, const char *copies);

/* Makes systemd see changes in UNITS_GENERATED_DIR when it next loads a unit, without a
 * daemon-reload. A loaded unit stays as it is: it and its socket must be stopped first, and nothing
 * may want it. (bellhop.target wants the sockets that it knew at boot.) */
int units_announce(void);
