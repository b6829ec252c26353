/* SPDX-License-Identifier: MIT */
/* One inherited listening socket. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "router/store.h"

typedef struct ListenerHooks {
        /* Takes fd. is_unsure: the connection may lack a seal that it should have. */
        void (*accept_consume)(void *userdata, int fd, const StoredConn *past, bool is_unsure);
        /* Descriptors or memory have run out. Without a pause, the listener would spin. */
        void (*on_exhausted)(void *userdata, int error);
} ListenerHooks;

typedef struct Listener {
        const ListenerHooks *hooks;
        void *userdata;
        int fd;
        sd_event_source *io;
        uint64_t sealed_usec; /* when the listener was sealed; 0: it has no seal */
        uint64_t n_unsure;    /* the number of next connections that may lack a seal */
} Listener;

/* Takes fd, a non-blocking listening socket. */
void listener_init_consume(Listener *listener, int fd, const ListenerHooks *hooks, void *userdata);
void listener_done(Listener *listener);

/* Seals the listener; returns the same as seal_listener(). */
int listener_seal(Listener *listener);

int listener_start(Listener *listener, sd_event *event);
void listener_set_paused(Listener *listener, bool paused);
