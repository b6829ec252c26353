/* SPDX-License-Identifier: MIT */
/* Writes the parts of an instance's units that are not in the templates. A link makes
 * bellhop.target want the hand-off socket at boot. An instance with a network needs a drop-in for
 * bellhop@NAME.service: a link to a file that all instances with the same Network= share. Never
 * asks systemd, because generators must not do this. A new instance needs no daemon-reload, because
 * its drop-in is written before systemd first loads its unit. */
#pragma once

#include "config/config.h"

/* Generators write into this folder, and systemd reads it while the machine is running. */
#define UNITS_GENERATED_DIR "/run/systemd/generator"

/* The folder of links to sbin. It is not below UNITS_GENERATED_DIR, because each daemon-reload
 * removes that folder, while instances still use this one. */
#define UNITS_SBIN_COPIES "/run/bellhop-sbin"

/* Writes or removes the drop-in of an instance, as network requires. Returns 0 or a negative
 * errno. */
int units_write(const char *dir, const char *name, Network network);

/* Whether units_write() would change anything. */
bool units_differ(const char *dir, const char *name, Network network);

/* Does the same as units_write(), but first makes bellhop.target want the socket, even if the rest
 * fails. */
int units_write_wanted(const char *dir, const char *name, Network network);

/* Writes a drop-in for bellhop@.service that makes instances see our sendmail in sbin (the
 * machine's /usr/sbin). If sbin has no sendmail, systemd would create an empty file on the machine
 * itself as the mount point. In this case, the drop-in replaces the whole folder by a folder of
 * links, which this function makes below copies. Returns 0 or a negative errno. */
int units_write_sendmail(const char *dir, const char *sbin, const char *copies);

/* Makes systemd see changes in UNITS_GENERATED_DIR when it next loads a unit, without a
 * daemon-reload. A loaded unit stays as it is until it and its socket are stopped, and no other
 * unit wants them. bellhop.target wants the sockets that existed at boot. */
int units_announce(void);
