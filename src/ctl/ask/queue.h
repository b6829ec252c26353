/* SPDX-License-Identifier: MIT */
/* Looks at the queue of a hand-off socket, from which an instance receives its connections. systemd
 * keeps the socket open, so the queue can contain connections even while no server runs. */
#pragma once

/* Whether the queue of the unix datagram socket at a path is empty: 1, 0, or a negative errno. Also
 * 1 if the socket does not exist. */
int queue_is_empty(const char *path);
