/* SPDX-License-Identifier: MIT */
/* One inherited listening socket. */
#pragma once

#include <systemd/sd-event.h>

typedef struct Router Router;

typedef struct Listener {
        Router *router;
        int fd;
        sd_event_source *io;
} Listener;

int listener_start(Listener *listener);
void listener_done(Listener *listener);
void listener_set_paused(Listener *listener, bool paused);
