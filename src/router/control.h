/* SPDX-License-Identifier: MIT */
/*
 * The control socket: HTTP/1 over an inherited unix socket, on which anybody whom its mode lets in
 * may read the metrics. One request for each connection, at most a few connections at once, and
 * never more than one piece of an answer in memory: a scraper that is slow waits for itself alone.
 */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-event.h>

typedef struct ControlClient ControlClient;
typedef struct Router Router;

/* More wait in the socket's backlog. */
#define CONTROL_CLIENTS_MAX 8

typedef struct ControlSocket {
        Router *router;
        int fd; /* negative: systemd passed none */
        sd_event_source *io;
        sd_event_source *resume; /* listens again after descriptors or memory ran out */
        LIST_HEAD(, ControlClient) clients;
        size_t n_clients;
} ControlSocket;

void control_init(ControlSocket *control, Router *router);
void control_done(ControlSocket *control);

/* Takes a listening unix stream socket, non-blocking. */
void control_set_socket_consume(ControlSocket *control, int fd);

/* How many descriptors it may need. */
size_t control_descriptors(const ControlSocket *control);

/* Without a socket: does nothing. */
int control_start(ControlSocket *control);
