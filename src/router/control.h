/* SPDX-License-Identifier: MIT */
/* The control socket: HTTP/1 over an inherited unix socket. All users who have access to this
 * socket can read the metrics (GET /metrics) and ask for the route of a connection (GET /route). */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "metrics/metrics.h"
#include "util/deadline.h"

/* How many clients can be connected at the same time: places for any user, and additional places
 * for root alone. If all places are taken, a new client takes the place of the client that has been
 * silent longest. */
#define CONTROL_CLIENTS_MAX 8
#define CONTROL_ROOT_MAX    4

typedef struct ControlSocket {
        const Config *const *config; /* the configuration in force; not owned, like event */
        void (*get_metrics)(void *userdata,
                            MetricsSource *ret); /* called for each piece of an answer */
        void *userdata;
        sd_event *event;
        int fd; /* negative: systemd has passed no control socket */
        sd_event_source *io;
        DeadlineQueue clients;
} ControlSocket;

void control_done(ControlSocket *control);

/* The number of descriptors that the control socket may need. */
size_t control_descriptors(const ControlSocket *control);

/* Before the call, set all fields up to fd. fd is a non-blocking listening unix stream socket, or
 * negative if there is none. */
int control_start(ControlSocket *control);
