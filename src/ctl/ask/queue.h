/* SPDX-License-Identifier: MIT */
/* The queue of a hand-off socket, which systemd holds. */
#pragma once

/* Whether the queue of the unix datagram socket at a path is empty: 1, 0, or a negative errno. If
 * the socket does not exist: 1. */
int queue_is_empty(const char *path);
