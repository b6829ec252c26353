/* SPDX-License-Identifier: MIT */
/*
 * Owns what connections share: configuration, outlets, listeners, timers, counters, signals. One
 * thread, one event loop. No peer's bytes and no customer's mistake ends it.
 */
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

#include "router/router.h"
#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log-ids.h"

#define RESUME_USEC (100 * UINT64_C(1000))
#define RETRY_USEC  (20 * UINT64_C(1000))
#define STATUS_USEC (1 * UINT64_C(1000000))
/* By default sd-event may be late by 250 ms. */
#define ACCURACY_USEC 1000

/* Standard streams, listeners, event loop, and a few for a moment. */
#define DESCRIPTORS_OWN 24

/* Enough for a burst, and no more than fits a hand-off socket's queue under systemd. */
#define IN_FLIGHT_LOW  16
#define IN_FLIGHT_HIGH 512

uint64_t router_now(const Router *router)
{
        uint64_t now = 0;

        (void)sd_event_now(router->event, CLOCK_MONOTONIC, &now);
        return now;
}

void router_notify(const Router *router, const char *state)
{
        const Metrics *metrics = &router->metrics;
        const char *note = reload_note(router->reload);

        (void)sd_notifyf(0,
                         "%sSTATUS=%zu instances%s%s%s; accepted %" PRIu64 ", handed off %" PRIu64
                         ", refused %" PRIu64 ", gone %" PRIu64
                         ", pending %zu, redirected %" PRIu64,
                         state, router->config->n_instances, note[0] ? " (" : "", note,
                         note[0] ? ")" : "", metrics->accepted, metrics_handed_off(metrics),
                         metrics_refused(metrics), metrics->gone,
                         router->sniffing.n + router->waiting.n, metrics->redirected);
}

static int router_on_status(sd_event_source *source, uint64_t usec, void *userdata)
{
        router_notify(userdata, "");
        return 0;
}

void router_touch_status(Router *router)
{
        int enabled = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(router->status, &enabled) > 0)
                return;
        if (sd_event_source_set_time_relative(router->status, STATUS_USEC) >= 0)
                (void)sd_event_source_set_enabled(router->status, SD_EVENT_ONESHOT);
}

static int router_on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
        Router *router = userdata;

        for (size_t i = 0; i < router->n_listeners; i++)
                listener_set_paused(&router->listeners[i], false);
        return 0;
}

void router_pause_listeners(Router *router, int error)
{
        LogFields fields;

        router->metrics.accept_pauses++;
        if (trouble_pass(router, TROUBLE_EXHAUSTED, NULL, &fields)) {
                errno = error;
                log_full(LOG_WARNING, &fields,
                         "can't accept connections for a moment: %m; they wait in the listening "
                         "sockets (raise LimitNOFILE= of bellhop-router.service if this stays)");
        }
        if (sd_event_source_set_time_relative(router->resume, RESUME_USEC) < 0 ||
            sd_event_source_set_enabled(router->resume, SD_EVENT_ONESHOT) < 0)
                return;
        for (size_t i = 0; i < router->n_listeners; i++)
                listener_set_paused(&router->listeners[i], true);
        /* Else clients that say nothing could keep all others out until their time is over. */
        conn_shed_oldest(router, 1 + router->sniffing.n / 8);
}

static int router_on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        Router *router = userdata;

        for (size_t i = 0; i < router->config->n_instances; i++)
                if (router->outlets[i])
                        outlet_flush(router->outlets[i]);
        return 0;
}

void router_retry_later(Router *router)
{
        if (sd_event_source_set_time_relative(router->retry, RETRY_USEC) >= 0)
                (void)sd_event_source_set_enabled(router->retry, SD_EVENT_ONESHOT);
}

Outlet *router_outlet(Router *router, uint32_t instance)
{
        if (!router->outlets[instance])
                router->outlets[instance] =
                        outlet_new(router, router->config->instances[instance].name);
        return router->outlets[instance];
}

static void free_outlets(Router *router)
{
        if (!router->outlets)
                return;
        for (size_t i = 0; i < router->config->n_instances; i++)
                router->outlets[i] = outlet_free(router->outlets[i]);
        free(router->outlets);
        router->outlets = NULL;
}

/* Outlets of instances that stay keep their sockets and what waits in them. */
static void keep_outlets(Router *router, Outlet **outlets, const Config *config)
{
        for (size_t i = 0; router->outlets && i < router->config->n_instances; i++) {
                const uint32_t place =
                        config_find_instance(config, router->config->instances[i].name);

                if (place != ROUTE_NONE)
                        outlets[place] = take_ptr(router->outlets[i]);
        }
}

/* Connections must not take the descriptors that hand-off sockets, notification and reloading need.
 */
static size_t pending_limit(const Router *router, const Config *config)
{
        const uint64_t others =
                DESCRIPTORS_OWN + control_descriptors(&router->control) + config->n_instances;
        struct rlimit limit;
        uint64_t room;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return config->router.pending_max;
        /* As many again may linger. */
        room = limit.rlim_cur > others + 2 ? (limit.rlim_cur - others) / 2 : 1;
        return room < config->router.pending_max ? room : config->router.pending_max;
}

/*
 * Descriptors under way come out of one pot, RLIMIT_NOFILE, whoever they are for (unix(7),
 * ETOOMANYREFS). Half of it is shared out, so that no number of instances that receive nothing can
 * keep others from receiving.
 */
static size_t in_flight_limit(const Config *config)
{
        uint64_t share = IN_FLIGHT_HIGH;
        struct rlimit limit;

        if (config->router.in_flight_max_per_instance > 0)
                return config->router.in_flight_max_per_instance;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && config->n_instances > 0)
                share = limit.rlim_cur / 2 / config->n_instances;
        return share < IN_FLIGHT_LOW    ? IN_FLIGHT_LOW
               : share > IN_FLIGHT_HIGH ? IN_FLIGHT_HIGH
                                        : share;
}

int router_swap_config(Router *router, Config **config)
{
        _cleanup_free_ Outlet **outlets = calloc((*config)->n_instances + 1, sizeof(*outlets));
        _cleanup_free_ uint8_t *peek = malloc((*config)->router.sniff_max_bytes);
        Config *old = router->config;

        if (!outlets || !peek)
                return -ENOMEM;
        keep_outlets(router, outlets, *config);
        free_outlets(router);
        free(router->peek);
        router->config = *config;
        router->outlets = take_ptr(outlets);
        router->peek = take_ptr(peek);
        router->pending_max = pending_limit(router, router->config);
        router->metrics.loaded_nsec = router->config->begun_nsec;
        router->in_flight_max = in_flight_limit(router->config);
        starts_set_max(&router->starts, router->config->router.starting_max);
        for (size_t i = 0; i < router->config->n_instances; i++)
                if (router->outlets[i])
                        outlet_bound_in_flight(router->outlets[i]);
        *config = old;
        return 0;
}

static int router_on_sighup(sd_event_source *source, const struct signalfd_siginfo *info,
                            void *userdata)
{
        Router *router = userdata;
        reload_request(router->reload);
        return 0;
}

static int router_on_end(sd_event_source *source, const struct signalfd_siginfo *info,
                         void *userdata)
{
        Router *router = userdata;

        for (size_t i = 0; i < router->n_listeners; i++)
                listener_set_paused(&router->listeners[i], true);
        store_save(router);
        router_notify(router, "STOPPING=1\n");
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int add_timer(Router *router, sd_event_source **ret, sd_event_time_handler_t callback)
{
        const int r = sd_event_add_time(router->event, ret, CLOCK_MONOTONIC, UINT64_MAX,
                                        ACCURACY_USEC, callback, router);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int router_init_events(Router *router)
{
        int r = sd_event_new(&router->event);

        if (r >= 0)
                r = sd_event_set_watchdog(router->event, true);
        if (r >= 0)
                r = sd_event_add_signal(router->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
                                        router_on_sighup, router);
        if (r >= 0)
                r = sd_event_add_signal(router->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK,
                                        router_on_end, router);
        if (r >= 0)
                r = sd_event_add_signal(router->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK,
                                        router_on_end, router);
        if (r >= 0)
                r = add_timer(router, &router->resume, router_on_resume);
        if (r >= 0)
                r = add_timer(router, &router->retry, router_on_retry);
        if (r >= 0)
                r = add_timer(router, &router->status, router_on_status);
        if (r >= 0)
                r = deadline_queue_init(&router->sniffing, router->event);
        if (r >= 0)
                r = deadline_queue_init(&router->waiting, router->event);
        if (r >= 0)
                r = deadline_queue_init(&router->lingering, router->event);
        if (r >= 0)
                r = starts_init(&router->starts, router->event);
        return r;
}

int router_init(Router *router, const char *config_dir, const char *runtime_dir)
{
        int r;

        *router = (Router){
                .config_dir = config_dir,
                .runtime_dir = runtime_dir,
                .refusal_log = { .interval_usec = 10 * UINT64_C(1000000), .burst = 20 },
        };
        trouble_init(router->trouble_log);
        control_init(&router->control, router);
        TAILQ_INIT(&router->sniffing.conns);
        TAILQ_INIT(&router->waiting.conns);
        TAILQ_INIT(&router->lingering.conns);

        r = router_init_events(router);
        if (r >= 0)
                r = reload_new(router, &router->reload);
        return r < 0 ? r : reload_first(router->reload);
}

static void seal_listeners(Router *router)
{
        router->seals = true;
        for (size_t i = 0; i < router->n_listeners; i++) {
                const int r = seal_listener(router->listeners[i].fd);

                if (r == 0)
                        continue;
                if (router->seals) {
                        errno = -r;
                        log_full(LOG_WARNING, &(LogFields){ .message_id = LOG_ID_UNSEALED },
                                 "can't seal the public sockets (%m): whoever takes control of an "
                                 "instance with Network=no could use a passed one for connections "
                                 "of his own; bellhop-router(8), THE SEAL, tells what it takes");
                }
                router->seals = false;
        }
}

int router_run(Router *router)
{
        int r;

        seal_listeners(router);
        for (size_t i = 0; i < router->n_listeners; i++) {
                r = listener_start(&router->listeners[i]);

                if (r < 0)
                        return r;
        }
        r = control_start(&router->control);
        if (r < 0)
                return r;
        router_notify(router, "READY=1\n");
        return sd_event_loop(router->event);
}

int router_add_listener_consume(Router *router, int fd)
{
        Listener *listener;
        Listener *bigger =
                reallocarray(router->listeners, router->n_listeners + 1, sizeof(*bigger));

        if (!bigger) {
                close_fd(fd);
                return -ENOMEM;
        }
        router->listeners = bigger;
        listener = &bigger[router->n_listeners++];
        *listener = (Listener){ .router = router, .fd = fd };
        return 0;
}

void router_set_control_consume(Router *router, int fd)
{
        control_set_socket_consume(&router->control, fd);
        router->pending_max = pending_limit(router, router->config);
}

void router_done(Router *router)
{
        control_done(&router->control);
        for (size_t i = 0; i < router->n_listeners; i++)
                listener_done(&router->listeners[i]);
        free(router->listeners);
        deadline_queue_done(&router->sniffing);
        deadline_queue_done(&router->waiting);
        free_outlets(router);
        deadline_queue_done(&router->lingering);
        starts_done(&router->starts);
        if (!reload_is_busy(router->reload))
                router->config = config_free(router->config);
        router->reload = reload_free(router->reload);
        free(router->peek);
        sd_event_source_disable_unref(router->resume);
        sd_event_source_disable_unref(router->retry);
        sd_event_source_disable_unref(router->status);
        sd_event_unref(router->event);
}
