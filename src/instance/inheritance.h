/* SPDX-License-Identifier: MIT */
/* What bellhop-instance passes to a server, and how the server reports that it is ready. */
#pragma once

#include <stdbool.h>

#include "instance/page.h"

typedef struct Inheritance {
        int handoff_fd; /* negative: none was passed */
        Page *page;
        int bell;
        int lines_fd;              /* to bellhop-log; negative: none */
        const char *notify_socket; /* of the supervisor; set by the caller; NULL: none */
} Inheritance;

/* Takes the inherited descriptors. Call it once in a process. A server that systemd starts directly
 * has no supervisor, and makes its own page. False: errno has the reason. */
bool inheritance_take(Inheritance *ret);

/* Sends READY=1 to the supervisor. Only the first call has an effect. */
void inheritance_say_ready(Inheritance *inheritance);
