/* SPDX-License-Identifier: MIT */
/* Enforces PendingMax=, PendingMaxPerSource= and PendingMaxPerInstance=, and logs when a limit is
 * reached. A connection is pending while it waits for bytes or for its outlet (see outlet.h). The
 * source of a connection is the network of its client (see source.h). */
#pragma once

#include "router/outlet.h"
#include "router/source.h"

typedef struct Admission {
        LogLimit *log_limits;           /* one for each LogKind; not owned */
        const RouterSettings *settings; /* the settings in force; not owned */
        size_t pending_max;             /* PendingMax=, or less if there are too few descriptors */
        SourceTable sources;
} Admission;

/* Applies the settings. Keeps n_descriptors file descriptors for hand-off sockets, reloads and
 * everything else that is not a connection. */
void admission_set(Admission *admission, const RouterSettings *settings, size_t n_descriptors);

/* Whether this number of connections may be pending. */
bool admission_has_room(Admission *admission, size_t n_pending);

/* Counts one more pending connection of this client. Returns false, and counts nothing, if the
 * client's source has reached its limit, or if there is not enough memory. If it returns true, the
 * caller must later call source_release() with *ret. */
bool admission_charge(Admission *admission, const Address *client, Source **ret);

/* Whether one more connection may wait in the outlet of an instance. */
bool admission_of_instance(Admission *admission, Outlet *outlet);
