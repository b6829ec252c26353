/* SPDX-License-Identifier: MIT */
/* The router as a whole: the data that connections share. */
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
        Outlet **outlets; /* one for each of config->instances, or NULL until its first use */
        OutletShared outlet_shared;
        Outlet *responder;          /* to bellhop-acme-tls */
        const char *challenges_dir; /* not owned */
        Listener *listeners;
        size_t n_listeners;
        bool seals;              /* true: no connection without a seal is handed off */
        sd_event_source *resume; /* a timer to accept again after descriptors or memory ran out */
        sd_event_source *status;
        DeadlineQueue sniffing; /* connections that wait for bytes */
        DeadlineQueue waiting;  /* connections that wait for their outlet */
        LingerQueue lingering;
        Admission admission;
        uint8_t *peek; /* config->router.sniff_max_bytes */
        Metrics metrics;
        Tally tally;
        ControlSocket control;
        LogLimit log_limits[LOG_KINDS];
};

/* Reads the configuration. challenges_dir: the folder of pending challenges. The strings must
 * outlive the router. If a step fails, logs which step. */
int router_init(Router *router, const char *config_dir, const char *runtime_dir,
                const char *challenges_dir);

/* These two functions take fd, a non-blocking listening socket. */
int router_add_listener_consume(Router *router, int fd);
void router_set_control_consume(Router *router, int fd);

/* Seals the listeners, which must all have been added; call it before conn_resume_consume(). */
void router_seal(Router *router);

/* Notifies systemd that the router is ready, and works until a signal ends it. If a step fails,
 * logs which step. */
int router_run(Router *router);
void router_done(Router *router);

/* Call it when a counter has changed. The status in systemctl is updated within a second. */
void router_touch_status(Router *router);

static inline size_t router_n_pending(const Router *router)
{
        return router->sniffing.n + router->waiting.n;
}
