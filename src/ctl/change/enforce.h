/* SPDX-License-Identifier: MIT */
/*
 * Makes the running state match the files, and changes nothing else. New sockets exist before the
 * router sends connections to them. Old sockets are removed after the router has stopped sending
 * connections to them.
 */
#pragma once

#include "ctl/ask/fleet.h"
#include "ctl/change/change.h"

/* The reasons for which something must be done for one instance. It can have several. */
typedef enum Need {
        NEED_DROP_IN = 1 << 0, /* its drop-in does not match the file */
        NEED_START = 1 << 1,   /* its socket does not exist */
        NEED_RELOAD = 1 << 2,  /* its server has read older files */
        NEED_AGAIN = 1 << 3,   /* its server does not see a new folder without a restart */
        NEED_RENEW = 1 << 4, /* its loaded units have an old network, but systemd can unload them */
        NEED_RESTART = 1 << 5,  /* its loaded units have an old network, and can't be unloaded */
        NEED_STOP = 1 << 6,     /* its file was removed */
        NEED_SNIPPETS = 1 << 7, /* it has no folder for snippets */
        NEED_UNKNOWN = 1 << 8,  /* it is unknown whether it needs more */
        NEED_ANEW = 1 << 9,     /* it is starting, and may have read the old file */
        NEED_SUSPEND = 1 << 10, /* it is suspended, but the customer's programs may still run */
        NEED_LOGS = 1 << 11,    /* it has no folder for its log files */
} Need;

typedef struct Enforce {
        Change *change;
        Fleet *fleet;
        Hosts *hosts;         /* one for each of fleet->config->instances */
        unsigned *needs;      /* a set of Need for each of fleet->entries */
        unsigned any;         /* the needs of all entries together */
        bool router_is_stale; /* the router has read older files */
        int router_error;     /* why router_is_stale is unknown; 0: it is known */
} Enforce;

/* Loads one instance, whose file must be in use; prints errors. Always call fleet_done(). */
CtlStatus enforce_load(const Change *change, const char *name, Fleet *ret, FleetEntry **ret_entry);

/* Finds the needs of all instances of the fleet, which must be loaded for FLEET_FOR_APPLY. Returns
 * 0, or a negative errno if the needs can't be determined. Always call enforce_done(). */
int enforce_find(Change *change, Fleet *fleet, Enforce *ret);
void enforce_done(Enforce *enforce);

/* Does everything that is needed. With --dry-run, only announces the steps. Prints errors. False:
 * some changes are not in force. */
bool enforce_run(Enforce *enforce);

/* Prints the instances that do not report which files they have read. False: there are none. */
bool enforce_say_unknown(const Enforce *enforce);
