/* SPDX-License-Identifier: MIT */
/* One inherited listening socket. seal/seal.h explains the seal. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "router/store.h"

typedef struct ListenerHooks {
        /* Takes a new connection, and owns fd from now on. If is_unsure is true, the connection may
         * lack the seal of its listener. */
        void (*accept_consume)(void *userdata, int fd, const StoredConn *past, bool is_unsure);
        /* Called when descriptors or memory have run out. The hook must pause the listener, because
         * otherwise the event loop would spin. */
        void (*on_exhausted)(void *userdata, int error);
} ListenerHooks;

typedef struct Listener {
        const ListenerHooks *hooks;
        void *userdata;
        int fd;
        sd_event_source *io;
        uint64_t sealed_usec; /* when the listener was sealed; 0: it has no seal */
        uint64_t n_unsure; /* how many of the next connections may lack a seal; UINT64_MAX: all */
} Listener;

/* fd is a non-blocking listening socket. The listener owns it from now on. */
void listener_init_consume(Listener *listener, int fd, const ListenerHooks *hooks, void *userdata);
void listener_done(Listener *listener);

/* Seals the listener; returns the same as seal_listener(). */
int listener_seal(Listener *listener);

int listener_start(Listener *listener, sd_event *event);
void listener_set_paused(Listener *listener, bool paused);
