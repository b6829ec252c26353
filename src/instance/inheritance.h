/* SPDX-License-Identifier: MIT */
/* For the modules in servers: takes the descriptors that bellhop-instance passes to the server, and
 * reports to bellhop-instance that the server is ready. */
#pragma once

#include <stdbool.h>

#include "instance/page.h"

typedef struct Inheritance {
        int handoff_fd; /* negative: none was passed */
        Page *page;
        int bell;
        int lines_fd; /* to bellhop-log; negative: none */
        const char *
                notify_socket; /* path of the supervisor's socket; the caller sets it; NULL: none */
} Inheritance;

/* Takes the inherited descriptors. Call it once in a process. If systemd has started the server
 * directly, there is no supervisor, and this function makes the page. Returns false after an error;
 * errno has the reason. */
bool inheritance_take(Inheritance *ret);

/* Sends READY=1 to the supervisor. Only the first call has an effect. */
void inheritance_say_ready(Inheritance *inheritance);
