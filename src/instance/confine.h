/* SPDX-License-Identifier: MIT */
/*
 * Confines this process, and all that it starts from then on, before anything of the customer's is
 * executed: whatever server or program runs in the instance is behind the fence.
 */
#pragma once

#include <stdbool.h>

/* What of the fence this process has: a reload can add to it, nothing takes away. */
typedef struct Confined {
        unsigned raised;
} Confined;

/* network: Network=yes. Logs; returns 0 or a negative errno. */
int confine(Confined *confined, const char *instance, bool network);

/* Nobody can put a filter on the hand-off socket from then on. */
void confine_handoff_socket(int handoff_fd);
