/* SPDX-License-Identifier: MIT */
/* The queue of a hand-off socket, which systemd holds. */
#pragma once

/* Whether the unix datagram socket that is bound to a path has nothing to be received: 1, 0, or a
 * negative errno. 1 also if there is no such socket. */
int queue_is_empty(const char *path);
