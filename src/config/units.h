/* SPDX-License-Identifier: MIT */
/* All instances share the template units bellhop@.service and bellhop@.socket. These functions
 * write links that set up the units of one instance. One link makes bellhop.target want
 * bellhop@NAME.socket at boot. For an instance with a network, another link is a drop-in of
 * bellhop@NAME.service: it leads to a file that all instances with the same Network= share.
 * Generators of systemd use this code. systemd does not answer while they run, so this code never
 * asks systemd. A new instance needs no daemon-reload, because its drop-in is written before
 * systemd first loads its unit. */
#pragma once

#include "config/config.h"

/* The folder of units and drop-ins that generators write. bellhopctl also writes into it. */
#define UNITS_GENERATED_DIR "/run/systemd/generator"

/* The folder of links that units_write_sendmail() makes. It is not below UNITS_GENERATED_DIR,
 * because each daemon-reload removes that folder, while instances still use the links. */
#define UNITS_SBIN_COPIES "/run/bellhop-sbin"

/* If the network needs a drop-in, writes the instance's drop-in into dir; otherwise removes it.
 * Returns 0 or a negative errno. */
int units_write(const char *dir, const char *name, Network network);

/* Whether units_write() would change anything. */
bool units_differ(const char *dir, const char *name, Network network);

/* Makes bellhop.target want the instance's socket, and then does the same as units_write(). */
int units_write_wanted(const char *dir, const char *name, Network network);

/* Writes a drop-in for bellhop@.service that makes instances see our sendmail in sbin (the
 * machine's /usr/sbin). If sbin has no sendmail, systemd would have to make an empty file there, on
 * the machine itself, as the mount point. In this case, the drop-in instead mounts a folder of
 * links over the whole folder sbin. This function makes that folder of links in the folder
 * 'copies'. Returns 0 or a negative errno. */
int units_write_sendmail(const char *dir, const char *sbin, const char *copies);

/* Makes systemd use the changed files in UNITS_GENERATED_DIR without a daemon-reload, but only for
 * units that are not loaded. systemd unloads the service of an instance when the service and its
 * socket are stopped and no other unit wants them. bellhop.target wants the sockets that existed at
 * boot, so the units of their instances stay loaded. */
int units_announce(void);
