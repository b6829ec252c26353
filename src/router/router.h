/* SPDX-License-Identifier: MIT */
/* The router as a whole: the data that connections share. An outlet sends connections to one
 * instance: see outlet.h. A connection is pending while it waits for bytes or for its outlet. */
#pragma once

#include <time.h>

#include "refuse/linger.h"
#include "router/admission.h"
#include "router/conn.h"
#include "router/control.h"
#include "router/listener.h"
#include "router/reload.h"
#include "router/tally.h"
#include "util/notify.h"

struct Router {
        sd_event *event;
        Notify notify;
        const Config *config; /* owned by reload */
        Reload *reload;
        Outlet **outlets; /* one for each of config->instances; an element is NULL until the outlet
                             is first used */
        OutletShared outlet_shared;
        Outlet *responder; /* the outlet of bellhop-acme-tls, which answers challenges over TLS */
        const char *challenges_dir; /* not owned */
        Listener *listeners;
        size_t n_listeners;
        bool seals; /* true: the router refuses a connection that it can't seal (see seal/seal.h) */
        sd_event_source *resume; /* a timer that ends a pause in accepting; the pause begins when
                                    descriptors or memory run out */
        sd_event_source *status;
        DeadlineQueue sniffing; /* connections that wait for bytes */
        DeadlineQueue waiting;  /* connections that wait for their outlet */
        LingerQueue lingering;
        Admission admission;
        uint8_t *peek; /* a buffer of config->router.sniff_max_bytes */
        Metrics metrics;
        Tally tally;
        ControlSocket control;
        LogLimit log_limits[LOG_KINDS];
};

/* Reads the configuration. challenges_dir is the folder of pending ACME challenges (see
 * challenge/challenge.h). The strings must outlive the router. Logs its errors. */
int router_init(Router *router, const char *config_dir, const char *runtime_dir,
                const char *challenges_dir);

/* fd is a non-blocking listening socket. The router owns it from now on. */
int router_add_listener_consume(Router *router, int fd);
void router_set_control_consume(Router *router, int fd);

/* Seals all listeners. Call this function after the last router_add_listener_consume(), and before
 * conn_resume_consume(). */
void router_seal(Router *router);

/* Notifies systemd that the router is ready, and serves until a signal ends the router. Logs its
 * errors. */
int router_run(Router *router);
void router_done(Router *router);

/* Updates, within a second, the status that systemctl shows. Call this function when a counter has
 * changed. */
void router_touch_status(Router *router);

static inline size_t router_n_pending(const Router *router)
{
        return router->sniffing.n + router->waiting.n;
}
