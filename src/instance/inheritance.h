/* SPDX-License-Identifier: MIT */
/* Functions for bellhop's modules in Apache and nginx. They take the descriptors that the
 * supervisor (bellhop-instance) passes to a server, and report to the supervisor that the server is
 * ready. */
#pragma once

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
 * directly, without bellhop-instance, the server inherits no page (page.h), so this function makes
 * one. Returns 0 or a negative errno. */
int inheritance_take(Inheritance *ret);

/* Sends READY=1 to the supervisor. Only the first call has an effect. */
void inheritance_say_ready(Inheritance *inheritance);
