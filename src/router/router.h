/* SPDX-License-Identifier: MIT */
/* The router as a whole: what all connections share. */
#pragma once

#include "config/config.h"
#include "router/conn.h"
#include "router/control.h"
#include "router/listener.h"
#include "router/reload.h"
#include "router/store.h"
#include "util/log.h"

_Static_assert(REFUSE_REASON_COUNT <= METRICS_REFUSALS_MAX, "each reason has its counter");

struct Router {
        sd_event *event;
        const char *config_dir;
        const char *runtime_dir;
        Config *config;
        Reload *reload;
        Outlet **outlets; /* one for each of config->instances, or NULL until the first hand-off */
        Listener *listeners;
        size_t n_listeners;
        bool seals;           /* what is passed must be sealed */
        size_t pending_max;   /* PendingMax=, or less when there are too few descriptors for it */
        size_t in_flight_max; /* of each instance */
        sd_event_source *resume; /* listens again after descriptors or memory ran out */
        sd_event_source *retry;  /* tries again after too many descriptors were under way */
        sd_event_source *status;
        DeadlineQueue sniffing; /* one for each state of a connection */
        DeadlineQueue waiting;
        DeadlineQueue lingering;
        SourceTable sources;
        Starts starts;
        uint8_t *peek; /* config->router.sniff_max_bytes */
        Metrics metrics;
        ControlSocket control;
        LogLimit refusal_log;
        LogLimit trouble_log[TROUBLE_KINDS];
};

/* Reads the configuration. The strings must live as long as the router. */
int router_init(Router *router, const char *config_dir, const char *runtime_dir);
int router_add_listener_consume(Router *router, int fd);
void router_set_control_consume(Router *router, int fd);

/* Tells systemd that it is ready and works until a signal ends it. Add the listeners before. */
int router_run(Router *router);
void router_done(Router *router);

/* Takes *config, and gives back the one that was in force (NULL: none). After an error all is as it
 * was. */
int router_swap_config(Router *router, Config **config);

/* Tells systemd the status, with what stands in front of it. */
void router_notify(const Router *router, const char *state);

/* CLOCK_MONOTONIC when this turn of the event loop began, microseconds. */
uint64_t router_now(const Router *router);

/* The outlet of an instance; made at its first use. NULL: no memory. */
Outlet *router_outlet(Router *router, uint32_t instance);

/* Something was counted: the status line that systemctl shows follows within a second. */
void router_touch_status(Router *router);

/* Tries all outlets with waiting connections again in a moment. */
void router_retry_later(Router *router);

/* Descriptors or memory have run out: stops accepting for a moment instead of spinning. */
void router_pause_listeners(Router *router, int error);
