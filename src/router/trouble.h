/* SPDX-License-Identifier: MIT */
/*
 * Lines about what an administrator has to mend, at a limited rate: each kind has its own limit, so
 * that one that anybody can cause hides no other, and so has each instance.
 */
#pragma once

#include "util/log.h"

typedef struct Outlet Outlet;
typedef struct Router Router;

typedef enum TroubleKind {
        TROUBLE_ABSENT,         /* of an instance: nobody owns its hand-off socket */
        TROUBLE_QUEUE_FULL,     /* of an instance: it does not receive what it is handed */
        TROUBLE_INSTANCE_LIMIT, /* of an instance: PendingMaxPerInstance= */
        TROUBLE_START_WAIT,     /* of an instance: StartingMax= */
        TROUBLE_LATE_START,     /* of an instance: it was started and does not receive */
        TROUBLE_OF_INSTANCE,    /* how many are */
        TROUBLE_PENDING_LIMIT = TROUBLE_OF_INSTANCE,
        TROUBLE_SOURCE_LIMIT,
        TROUBLE_EXHAUSTED, /* descriptors or memory */
        TROUBLE_KINDS,
} TroubleKind;

void trouble_init(LogLimit limits[static TROUBLE_KINDS]);
void trouble_init_outlet(LogLimit limits[static TROUBLE_OF_INSTANCE]);

/* Whether a line may be written now, and the fields for it. outlet: NULL if it is of none. */
bool trouble_pass(Router *router, TroubleKind kind, Outlet *outlet, LogFields *ret);
