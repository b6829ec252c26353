/* SPDX-License-Identifier: MIT */
/* Takes the sockets that systemd passes to a service, by their FileDescriptorName=: see
 * sd_listen_fds(3). A program takes the sockets that it knows, and can report the remaining ones.
 * Then inherit_done() closes the remaining ones. */
#pragma once

#include <stddef.h>

#define INHERIT_FD_FIRST 3

typedef struct Inherited {
        char **names; /* names of the descriptors from INHERIT_FD_FIRST on, which are close-on-exec;
                         NULL: already taken */
        size_t n;
} Inherited;

/* Takes all passed descriptors, if any. Removes LISTEN_PID=, LISTEN_FDS= and
 * LISTEN_FDNAMES= from the environment. Returns 0 or a negative errno. */
int inherit_init(Inherited *inherited);

/* Returns the first socket with that name and kind that is not taken yet, or -ENOENT. The caller
 * then owns the socket. family, type and listening: as in sd_is_socket(3); type 0: a descriptor of
 * any kind. */
int inherit_take(Inherited *inherited, const char *name, int family, int type, int listening);

/* Closes all descriptors that were not taken. */
void inherit_done(Inherited *inherited);
