/* SPDX-License-Identifier: MIT */
/*
 * Makes systemd's units, the router and the servers use the present configuration files, and
 * changes nothing else. New sockets exist before the router sends connections to them. Old sockets
 * are removed after the router has stopped sending connections to them.
 */
#pragma once

#include "ctl/ask/fleet.h"
#include "ctl/change/change.h"

/* Why something must be done for an instance. An instance can have several needs. */
typedef enum Need {
        NEED_DROP_IN = 1 << 0, /* its drop-in for the network does not match its file */
        NEED_START = 1 << 1,   /* its hand-off socket is not active */
        NEED_RELOAD = 1 << 2,  /* its server has not read the present files */
        NEED_AGAIN = 1 << 3,   /* its server does not see a new folder without a restart */
        NEED_RENEW = 1 << 4,   /* systemd has an old network for its units, but can unload them */
        NEED_RESTART = 1 << 5, /* systemd has an old network for its units, and can't unload them */
        NEED_STOP = 1 << 6,    /* its file was removed */
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
        bool router_is_stale; /* the router has not read the present files */
        int router_error;     /* why router_is_stale is unknown; 0: it is known */
} Enforce;

/* Loads the state of one instance. Fails if the instance's file is missing or has a mistake. Prints
 * errors. Always call fleet_done(). */
CtlStatus enforce_load(const Change *change, const char *name, Fleet *ret, FleetEntry **ret_entry);

/* Finds the needs of all instances of the fleet. The fleet must have been loaded with
 * FLEET_FOR_APPLY. Returns 0, or a negative errno if the needs can't be determined. Always call
 * enforce_done(). */
int enforce_find(Change *change, Fleet *fleet, Enforce *ret);
void enforce_done(Enforce *enforce);

/* Does everything that is needed. With --dry-run, only announces the steps. Prints errors. False:
 * some changes are not in force. */
bool enforce_run(Enforce *enforce);

/* Prints the names of the instances with NEED_UNKNOWN, and advice. Prints nothing with --json or
 * --no-legend. Returns whether it has printed a name. */
bool enforce_say_unknown(const Enforce *enforce);
