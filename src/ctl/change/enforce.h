/* SPDX-License-Identifier: MIT */
/*
 * Makes what runs the same as the files, and touches nothing else. New sockets are there before the
 * router sends to them; old ones go after it has stopped to.
 */
#pragma once

#include "ctl/ask/fleet.h"
#include "ctl/change/change.h"

/* What one instance needs. */
typedef enum Need {
        NEED_DROP_IN = 1 << 0,  /* its drop-in is not what the file asks for */
        NEED_START = 1 << 1,    /* its socket is not there */
        NEED_RELOAD = 1 << 2,   /* its server has read older files */
        NEED_AGAIN = 1 << 3,    /* its server does not see a new folder */
        NEED_RENEW = 1 << 4,    /* its units have another network, and can be forgotten */
        NEED_RESTART = 1 << 5,  /* the same, but all units must be read again */
        NEED_STOP = 1 << 6,     /* it has no file any more */
        NEED_SNIPPETS = 1 << 7, /* it has no folder for them */
        NEED_UNKNOWN = 1 << 8,  /* nobody says whether it needs more */
        NEED_ANEW = 1 << 9,     /* it is starting, and may have read the old file */
        NEED_SUSPEND = 1 << 10, /* it is suspended, and programs may run from before */
        NEED_LOGS = 1 << 11,    /* it has no folder for its log files */
} Need;

typedef struct Enforce {
        Change *change;
        Fleet *fleet;
        Hosts *hosts;         /* of each of fleet->config->instances */
        unsigned *needs;      /* of each of fleet->entries, made of Need */
        unsigned any;         /* all of them */
        bool router_is_stale; /* it has read older files */
        int router_error;     /* why that is not known */
} Enforce;

/* Loads one instance, whose file must be in use; prints what is wrong. fleet_done() is needed in
 * each case. */
CtlStatus enforce_load(const Change *change, const char *name, Fleet *ret, FleetEntry **ret_entry);

/* What the instances of a fleet need, which is loaded for FLEET_FOR_APPLY: all, or one. Returns 0,
 * or a negative errno when it can't be seen; enforce_done() is needed in both cases. */
int enforce_find(Change *change, Fleet *fleet, Enforce *ret);
void enforce_done(Enforce *enforce);

/* Does, or with --dry-run says, all that is needed. Prints errors; false: not all is in force. */
bool enforce_run(Enforce *enforce);

/* Says of which instances it is not known what they have read. False: there are none. */
bool enforce_say_unknown(const Enforce *enforce);
