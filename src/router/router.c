/* SPDX-License-Identifier: MIT */
/* The router has one thread with one event loop. A reload has its own thread. */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>

#include "router/router.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log-ids.h"

#define RESUME_USEC (100 * UINT64_C(1000))
#define STATUS_USEC (1 * UINT64_C(1000000))
/* Without this value, sd-event may call timers 250 ms late. */
#define ACCURACY_USEC 1000

/* How many descriptors the router needs for standard streams, listeners, the event loop, and files
 * that are open only for a moment. */
#define DESCRIPTORS_OWN 24

/* Sends the status and an event to systemd. */
static void router_notify(Router *router, NotifyEvent happened)
{
        const Metrics *metrics = &router->metrics;
        const char *note = reload_note(router->reload);

        notify_send(&router->notify, happened,
                    "%zu instances%s%s%s; accepted %" PRIu64 ", handed off %" PRIu64
                    ", refused %" PRIu64 ", gone %" PRIu64 ", pending %zu, redirected %" PRIu64
                    ", challenges %" PRIu64,
                    router->config->n_instances, note[0] ? " (" : "", note, note[0] ? ")" : "",
                    metrics->accepted, metrics_sum(metrics->handed_off, BELLHOP_REASON_DEFAULT),
                    metrics_sum(metrics->refused, REFUSE_REASON_COUNT), metrics->gone,
                    router_n_pending(router), metrics->redirected,
                    metrics_sum(metrics->challenges, CHALLENGE_TYPES));
}

/* If r is an error, logs that this step of the start has failed. */
static int router_step(int r, const char *step)
{
        if (r < 0)
                log_error_errno(r, "can't %s: %m", step);
        return r;
}

/* --- timers --- */

static bool router_arm(sd_event_source *timer, uint64_t usec)
{
        return sd_event_source_set_time_relative(timer, usec) >= 0 &&
               sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT) >= 0;
}

static int router_on_status(sd_event_source *source, uint64_t usec, void *userdata)
{
        router_notify(userdata, NOTIFY_NOTHING);
        return 0;
}

void router_touch_status(Router *router)
{
        int enabled = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(router->status, &enabled) == 0)
                (void)router_arm(router->status, STATUS_USEC);
}

static void router_pause_listeners(Router *router, bool paused)
{
        for (size_t i = 0; i < router->n_listeners; i++)
                listener_set_paused(&router->listeners[i], paused);
}

static int router_on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
        router_pause_listeners(userdata, false);
        return 0;
}

static void router_on_exhausted(void *userdata, int error)
{
        Router *router = userdata;

        router->metrics.accept_pauses++;
        errno = error;
        log_limits_write(
                router->log_limits, NULL, LOG_KIND_EXHAUSTED, (LogFields){ 0 },
                "can't accept connections for a moment: %m; they wait in the listening sockets "
                "(raise LimitNOFILE= of bellhop-router.service if this continues)");
        if (!router_arm(router->resume, RESUME_USEC))
                return;
        router_pause_listeners(router, true);
        /* Frees descriptors. Otherwise, silent clients could use all of them until their deadlines,
         * and lock out all other clients. */
        conn_shed_oldest(router, 1 + router->sniffing.n / 8);
}

/* Tries to send again: see outlet_retry(). */
static int router_on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        Router *router = userdata;

        for (size_t i = 0; i < router->config->n_instances; i++)
                if (router->outlets[i])
                        outlet_flush(router->outlets[i]);
        outlet_flush(router->responder);
        return 0;
}

/* --- configuration --- */

static void router_set_limits(Router *router)
{
        const Config *config = router->config;

        admission_set(&router->admission, &config->router,
                      DESCRIPTORS_OWN + control_descriptors(&router->control) +
                              config->n_instances);
        router->lingering.max = router->admission.pending_max;
        outlet_shared_set(&router->outlet_shared, &config->router, config->n_instances);
}

/* config is the new configuration. Fills the array outlets, which has an element for each instance
 * of config. Moves each outlet, with its socket and its waiting connections, to the index that its
 * instance has in config. Frees an outlet if config does not have its instance. When the router
 * ends, outlets and config are NULL. */
static void router_move_outlets(Router *router, Outlet **outlets, const Config *config)
{
        for (size_t i = 0; router->outlets && i < router->config->n_instances; i++) {
                const char *name = router->config->instances[i].name;
                const uint32_t place = config ? config_find_instance(config, name) : ROUTE_NONE;
                Outlet *outlet = router->outlets[i];

                if (!outlet)
                        continue;
                if (place != ROUTE_NONE) {
                        outlets[place] = outlet;
                } else {
                        conn_refuse_waiting(outlet);
                        outlet_free(outlet);
                }
        }
        free(router->outlets);
        router->outlets = outlets;
}

static int router_use_config(void *userdata, const Config *config)
{
        Router *router = userdata;
        Outlet **outlets = calloc(config->n_instances + 1, sizeof(*outlets));
        uint8_t *peek = malloc(config->router.sniff_max_bytes);

        if (!outlets || !peek) {
                free(outlets);
                free(peek);
                return -ENOMEM;
        }
        router_move_outlets(router, outlets, config);
        free(router->peek);
        router->peek = peek;
        router->config = config;
        router->metrics.loaded_nsec = config->begun_nsec;
        router_set_limits(router);
        for (size_t i = 0; i < config->n_instances; i++)
                if (outlets[i])
                        outlet_bound(outlets[i]);
        outlet_bound(router->responder);
        return 0;
}

static void router_on_reload_end(void *userdata, ReloadResult result, bool is_last)
{
        Router *router = userdata;

        router->metrics.reloads[result]++;
        if (is_last)
                router_notify(router, NOTIFY_READY);
}

/* --- the control socket --- */

static const char *router_instance_name(const void *userdata, size_t i)
{
        const Router *router = userdata;

        return router->config->instances[i].name;
}

/* Converts a time of CLOCK_MONOTONIC to seconds since 1970. Finds out how long ago this time was,
 * and subtracts that from CLOCK_REALTIME, so the result is right even if CLOCK_REALTIME has been
 * set in the meantime. */
static uint64_t router_since_1970(uint64_t monotonic_nsec)
{
        const uint64_t ago = clock_nsec(CLOCK_MONOTONIC) - monotonic_nsec;

        return monotonic_nsec == 0 ? 0 : (clock_nsec(CLOCK_REALTIME) - ago) / NSEC_PER_SEC;
}

static const InstanceMetrics *router_instance_metrics(const void *userdata, size_t i)
{
        const Router *router = userdata;
        Outlet *outlet = router->outlets[i];

        if (!outlet)
                return NULL;
        outlet->metrics.waiting = outlet->n_waiting;
        outlet->metrics.last_sec = router_since_1970(outlet->metrics.last_nsec);
        return &outlet->metrics;
}

static void router_get_metrics(void *userdata, MetricsSource *ret)
{
        Router *router = userdata;
        Metrics *metrics = &router->metrics;

        metrics->pending[PENDING_SNIFFING] = router->sniffing.n;
        metrics->pending[PENDING_WAITING] = router->waiting.n;
        metrics->pending_max = router->admission.pending_max;
        metrics->lingering = router->lingering.deadlines.n;
        metrics->sources = router->admission.sources.n;
        metrics->starting = router->outlet_shared.starts.starting.n;
        metrics->starting_max = router->outlet_shared.starts.max;
        metrics->instances = router->config->n_instances;
        metrics->routes = hostmap_size(router->config->map);
        metrics->problems = router->config->n_problems;
        metrics->log_lines_lost = journal_n_lost();
        *ret = (MetricsSource){
                .metrics = metrics,
                .n_instances = router->config->n_instances,
                .instance_name = router_instance_name,
                .instance_metrics = router_instance_metrics,
                .userdata = router,
        };
}

/* --- start and end --- */

static int router_on_sighup(sd_event_source *source, const struct signalfd_siginfo *info,
                            void *userdata)
{
        Router *router = userdata;

        router_notify(router, NOTIFY_RELOADING);
        reload_request(router->reload);
        return 0;
}

static int router_on_end(sd_event_source *source, const struct signalfd_siginfo *info,
                         void *userdata)
{
        Router *router = userdata;

        router_pause_listeners(router, true);
        conn_store_all(router);
        router_notify(router, NOTIFY_STOPPING);
        return sd_event_exit(router->event, 0);
}

static int router_add_timer(Router *router, sd_event_source **ret, sd_event_time_handler_t callback)
{
        const int r = sd_event_add_time(router->event, ret, CLOCK_MONOTONIC, UINT64_MAX,
                                        ACCURACY_USEC, callback, router);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int router_init_events(Router *router)
{
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = {
                { SIGHUP, router_on_sighup },
                { SIGTERM, router_on_end },
                { SIGINT, router_on_end },
        };
        int r = sd_event_new(&router->event);

        if (r >= 0)
                r = notify_open_consume(&router->notify, router->event, -EBADF);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(router->event, NULL,
                                        signals[i].number | SD_EVENT_SIGNAL_PROCMASK,
                                        signals[i].handler, router);
        if (r >= 0)
                r = router_add_timer(router, &router->resume, router_on_resume);
        if (r >= 0)
                r = router_add_timer(router, &router->outlet_shared.retry, router_on_retry);
        if (r >= 0)
                r = router_add_timer(router, &router->status, router_on_status);
        if (r >= 0)
                r = deadline_queue_init(&router->sniffing, router->event, conn_on_deadline);
        if (r >= 0)
                r = deadline_queue_init(&router->waiting, router->event, conn_on_deadline);
        if (r >= 0)
                r = linger_init(&router->lingering, router->event, 1);
        return r;
}

int router_init(Router *router, const char *config_dir, const char *runtime_dir,
                const char *challenges_dir)
{
        static const ReloadHooks reload_hooks = { router_use_config, router_on_reload_end };
        int r;

        *router = (Router){
                .notify.fd = -EBADF,
                .challenges_dir = challenges_dir,
                .admission.log_limits = router->log_limits,
                .tally = { .runtime_dir = runtime_dir,
                           .lost = &router->metrics.usage_lost,
                           .fd = -EBADF },
                .control = { .config = &router->config,
                             .get_metrics = router_get_metrics,
                             .userdata = router,
                             .fd = -EBADF },
                .outlet_shared = { .runtime_dir = runtime_dir,
                                   .metrics = &router->metrics,
                                   .log_limits = router->log_limits,
                                   .on_result = conn_on_result },
        };
        r = router_step(router_init_events(router), "set up the event loop");
        router->control.event = router->outlet_shared.event = router->tally.event = router->event;
        if (r >= 0)
                r = router_step(tally_init(&router->tally), "set up reports to bellhop-usage");
        if (r >= 0)
                r = router_step(outlet_shared_init(&router->outlet_shared), "set up outlets");
        if (r >= 0) {
                router->responder = outlet_new(&router->outlet_shared, NULL);
                r = router_step(router->responder ? 0 : -ENOMEM, "set up outlets");
        }
        if (r >= 0)
                r = router_step(reload_new(router->event, config_dir, &reload_hooks, router,
                                           &router->reload),
                                "read the configuration");
        return r;
}

int router_add_listener_consume(Router *router, int fd)
{
        static const ListenerHooks hooks = { conn_accept_consume, router_on_exhausted };

        if (array_append(router->listeners, router->n_listeners, (Listener){ .fd = -EBADF }) < 0) {
                close_fd(fd);
                return -ENOMEM;
        }
        listener_init_consume(&router->listeners[router->n_listeners - 1], fd, &hooks, router);
        return 0;
}

void router_set_control_consume(Router *router, int fd)
{
        assert(router->control.fd < 0);
        router->control.fd = fd;
        router_set_limits(router);
}

void router_seal(Router *router)
{
        int r = 0;

        for (size_t i = 0; i < router->n_listeners; i++) {
                const int sealed = listener_seal(&router->listeners[i]);

                r = r < 0 ? r : sealed;
        }
        router->seals = r == 0;
        errno = -r;
        if (r < 0)
                log_full(LOG_WARNING, &(LogFields){ .message_id = LOG_ID_UNSEALED },
                         "can't seal the public sockets (%m): an attacker who controls an instance "
                         "with Network=no could connect with a passed socket; see "
                         "bellhop-router(8), THE SEAL");
}

int router_run(Router *router)
{
        int r = 0;

        assert(router->config);
        for (size_t i = 0; r >= 0 && i < router->n_listeners; i++)
                r = router_step(listener_start(&router->listeners[i], router->event),
                                "watch the public sockets");
        if (r >= 0)
                r = router_step(control_start(&router->control), "watch the control socket");
        if (r < 0)
                return r;
        router_notify(router, NOTIFY_READY);
        return router_step(sd_event_loop(router->event), "continue the event loop");
}

void router_done(Router *router)
{
        control_done(&router->control);
        for (size_t i = 0; i < router->n_listeners; i++)
                listener_done(&router->listeners[i]);
        free(router->listeners);
        conn_close_all(router);
        deadline_queue_done(&router->sniffing);
        deadline_queue_done(&router->waiting);
        router_move_outlets(router, NULL, NULL);
        router->responder = outlet_free(router->responder);
        starts_done(&router->outlet_shared.starts);
        deadline_queue_done(&router->lingering.deadlines);
        router->reload = reload_free(router->reload);
        free(router->peek);
        tally_done(&router->tally);
        sd_event_source_disable_unref(router->resume);
        sd_event_source_disable_unref(router->outlet_shared.retry);
        sd_event_source_disable_unref(router->status);
        notify_done(&router->notify);
        sd_event_unref(router->event);
}
