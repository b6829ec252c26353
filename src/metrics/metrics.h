/* SPDX-License-Identifier: MIT */
/* All counters of the router, in one struct; metrics.c has their names, and bellhop-metrics(7)
 * explains them. */
#pragma once

#include <stddef.h>

#include "challenge/challenge.h"
#include "handoff/bellhop.h"
#include "refuse/refuse.h"

/* Names of metrics that bellhopctl reads. The other names are only in the table of metrics.c. */
#define METRIC_ACCEPTED              "bellhop_accepted_total"
#define METRIC_HANDED_OFF            "bellhop_handed_off_total"
#define METRIC_REFUSED               "bellhop_refused_total"
#define METRIC_PENDING               "bellhop_pending_connections"
#define METRIC_CONFIG_LOADED         "bellhop_config_loaded_timestamp_seconds"
#define METRIC_CONFIG_PROBLEMS       "bellhop_config_problems"
#define METRIC_INSTANCE_HANDED_OFF   "bellhop_instance_handed_off_total"
#define METRIC_INSTANCE_LAST_HANDOFF "bellhop_instance_last_handoff_timestamp_seconds"
#define METRIC_INSTANCE_REFUSED      "bellhop_instance_refused_total"
#define METRIC_INSTANCE_REDIRECTED   "bellhop_instance_redirected_total"
#define METRIC_INSTANCE_WAITING      "bellhop_instance_waiting_connections"

#define LATENCY_BOUNDS 19

enum { PENDING_SNIFFING, PENDING_WAITING, PENDING_STATES };

typedef enum ReloadResult {
        RELOAD_USED,
        RELOAD_USED_WITH_ERRORS, /* the new configuration is in force, except for parts with
                                    mistakes */
        RELOAD_FAILED,           /* the old configuration is in force */
        RELOAD_RESULT_COUNT,
} ReloadResult;

extern const char *const reload_result_names[RELOAD_RESULT_COUNT];

/* All fields are uint64_t, because metrics.c reads them by their offsets. */
typedef struct Metrics {
        uint64_t accepted;
        uint64_t handed_off[BELLHOP_REASON_DEFAULT]; /* by enum bellhop_reason, which begins at 1 */
        uint64_t refused[REFUSE_REASON_COUNT];
        uint64_t redirected; /* HTTP connections that the router redirected to HTTPS: Http=redirect
                              */
        uint64_t challenges[CHALLENGE_TYPES]; /* by ChallengeType, which begins at 1 */
        uint64_t gone; /* connections that clients closed before they could be routed */
        uint64_t queue_full_waits;
        uint64_t in_flight_waits;
        uint64_t start_waits;
        uint64_t starts;      /* hand-offs that started an instance */
        uint64_t late_starts; /* starts after which the instance received no connection in time */
        uint64_t accept_pauses;
        uint64_t usage_lost;                  /* hand-offs not reported to bellhop-usage */
        uint64_t latency[LATENCY_BOUNDS + 1]; /* hand-offs by latency: above the previous bound and
                                                 up to this one; the last: above all bounds */
        uint64_t latency_nsec;
        uint64_t reloads[RELOAD_RESULT_COUNT];
        uint64_t loaded_nsec; /* when the router began to read the configuration in force, since
                                 1970 */
        /* The router sets the following fields each time before it writes the metrics. */
        uint64_t log_lines_lost;
        uint64_t pending[PENDING_STATES];
        uint64_t pending_max;
        uint64_t lingering;
        uint64_t sources;
        uint64_t starting;
        uint64_t starting_max;
        uint64_t instances;
        uint64_t routes;
        uint64_t problems;
} Metrics;

typedef struct InstanceMetrics {
        uint64_t handed_off;
        uint64_t refused[REFUSE_REASON_COUNT];
        uint64_t redirected;
        uint64_t queue_full_waits;
        uint64_t in_flight_waits;
        uint64_t start_waits;
        uint64_t starts;
        uint64_t late_starts;
        uint64_t latency_nsec;
        uint64_t last_nsec; /* CLOCK_MONOTONIC of the last hand-off, 0: none yet */
        /* The router sets the following fields each time before it writes the metrics. */
        uint64_t waiting;
        uint64_t last_sec; /* time of the last hand-off, since 1970 */
} InstanceMetrics;

void metrics_count_handoff(Metrics *metrics, InstanceMetrics *instance,
                           const struct bellhop_handoff *handoff, uint64_t now_nsec);

/* Returns the sum of n counters. */
uint64_t metrics_sum(const uint64_t *values, size_t n);

/* Where metrics_write() gets the values. Instances are in the order of their names (strcmp). */
typedef struct MetricsSource {
        const Metrics *metrics;
        size_t n_instances;
        const char *(*instance_name)(const void *userdata, size_t i);
        /* returns NULL if all values of the instance are 0 */
        const InstanceMetrics *(*instance_metrics)(const void *userdata, size_t i);
        const void *userdata;
} MetricsSource;

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A text in Prometheus's format, or a piece of such a text. */
typedef struct Exposition {
        size_t size;
        bool failed; /* there was not enough room */
        char data[48 * 1024];
} Exposition;

void exposition_printf(Exposition *exposition, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#define METRICS_NAME_MAX 64

/* How much of the text has been written so far. Begins as { 0 }. */
typedef struct MetricsCursor {
        size_t metric;               /* index in the table of metrics.c */
        bool begun;                  /* its HELP and TYPE are written */
        char last[METRICS_NAME_MAX]; /* name of the last written instance, because a reload may
                                        change indexes */
} MetricsCursor;

/* The size of a piece of the text. It is small, because the router does nothing else while it
 * writes a piece, which takes about 0.1 ms. */
#define METRICS_PIECE_MAX (32 * 1024)

/* Appends metrics, until exposition has at least the given number of bytes. Returns false if all
 * metrics are written. */
bool metrics_write(const MetricsSource *source, MetricsCursor *cursor, Exposition *exposition,
                   size_t bytes);
