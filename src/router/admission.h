/* SPDX-License-Identifier: MIT */
/* Enforces PendingMax=, PendingMaxPerSource= and PendingMaxPerInstance=, and logs when a limit is
 * reached. */
#pragma once

#include "router/outlet.h"
#include "router/source.h"

typedef struct Admission {
        LogLimit *log_limits;           /* one for each LogKind; not owned */
        const RouterSettings *settings; /* the settings in force; not owned */
        size_t pending_max;             /* PendingMax=, or less if there are too few descriptors */
        SourceTable sources;
} Admission;

/* n_descriptors is the number of descriptors that connections must not use, because hand-off
 * sockets, reloads and others need them. */
void admission_set(Admission *admission, const RouterSettings *settings, size_t n_descriptors);

/* Whether this number of connections may be pending. */
bool admission_has_room(Admission *admission, size_t n_pending);

/* Counts one more pending connection of this client. Returns false, and counts nothing, if the
 * client's source has reached its limit, or if there is not enough memory. If it returns true, the
 * caller must later call source_release() with *ret. */
bool admission_charge(Admission *admission, const Address *client, Source **ret);

/* Whether one more connection may wait in the outlet of an instance. */
bool admission_of_instance(Admission *admission, Outlet *outlet);
