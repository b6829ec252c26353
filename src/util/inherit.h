/* SPDX-License-Identifier: MIT */
/* Takes the sockets that systemd passes to a service: see sd_listen_fds(3). A program takes the
 * sockets whose names (FileDescriptorName=) it knows. inherit_done() closes the remaining ones. */
#pragma once

#include <stddef.h>

#define INHERIT_FD_FIRST 3

typedef struct Inherited {
        char **names; /* of the descriptors from INHERIT_FD_FIRST on; NULL: already taken */
        size_t n;
} Inherited;

/* Finds the passed descriptors, if any, and makes them close-on-exec. Removes LISTEN_PID,
 * LISTEN_FDS and LISTEN_FDNAMES from the environment. Returns 0 or a negative errno. */
int inherit_init(Inherited *inherited);

/* Returns the first socket with that name and kind that is not taken yet, or -ENOENT. The caller
 * then owns the socket. family, type and listening describe the kind, as for sd_is_socket(3). If
 * type is 0, any kind of descriptor matches. */
int inherit_take(Inherited *inherited, const char *name, int family, int type, int listening);

/* Closes all descriptors that were not taken. */
void inherit_done(Inherited *inherited);
