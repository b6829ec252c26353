/* SPDX-License-Identifier: MIT */
/* What bellhop-instance passes to a server, and the server's word that it is ready. */
#pragma once

#include <stdbool.h>

#include "instance/page.h"

typedef struct Inheritance {
        int handoff_fd; /* negative: none was passed */
        Page *page;
        int bell;
        int lines_fd;              /* to bellhop-log; negative: none */
        const char *notify_socket; /* of the supervisor, or NULL; the caller's, once it is ready */
} Inheritance;

/* Takes the descriptors, once in a process. A server that systemd starts directly has no
 * supervisor, and gets a page of its own. False: errno says what is missing. */
bool inheritance_take(Inheritance *ret);

/* Says READY=1, once. */
void inheritance_say_ready(Inheritance *inheritance);
