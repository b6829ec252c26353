/* SPDX-License-Identifier: MIT */
/* Each value of a label is a constant or the name of a configured instance, so no client can add a
 * time series. */
#include <inttypes.h>
#include <stdarg.h>

#include "metrics/metrics.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define USEC UINT64_C(1000)
#define MSEC UINT64_C(1000000)

#define NUMBER_MAX 32
#define LABELS_MAX (METRICS_NAME_MAX + 64)

static const uint64_t latency_bounds_nsec[LATENCY_BOUNDS] = {
        25 * USEC,   50 * USEC,        100 * USEC,        250 * USEC,        500 * USEC,
        1 * MSEC,    2500 * USEC,      5 * MSEC,          10 * MSEC,         25 * MSEC,
        50 * MSEC,   100 * MSEC,       250 * MSEC,        500 * MSEC,        1 * NSEC_PER_SEC,
        2500 * MSEC, 5 * NSEC_PER_SEC, 10 * NSEC_PER_SEC, 30 * NSEC_PER_SEC,
};

typedef struct Metric Metric;

struct Metric {
        const char *name;
        const char *type;
        const char *help;
        /* writes values; at: the first value; instance: the label of the instance, or "" */
        void (*write)(const Metric *metric, const void *at, const char *instance,
                      Exposition *exposition);
        bool is_of_instance;
        size_t offset; /* of the first value in Metrics or InstanceMetrics */
        const char *label;
        const char *const *words;
        size_t n_words; /* 0: one value without label */
};

static const char *const reason_words[] = { "address", "server-name", "host", "default" };
static const char *const state_words[] = { "sniffing", "waiting" };

const char *const reload_result_names[RELOAD_RESULT_COUNT] = {
        [RELOAD_USED] = "used",
        [RELOAD_USED_WITH_ERRORS] = "used-with-errors",
        [RELOAD_FAILED] = "failed",
};

void exposition_printf(Exposition *exposition, const char *format, ...)
{
        const size_t room = sizeof(exposition->data) - exposition->size;
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(exposition->data + exposition->size, room, format, args);
        va_end(args);
        if (n < 0 || (size_t)n >= room)
                exposition->failed = true;
        else
                exposition->size += (size_t)n;
}

/* suffix: the end of the name, such as "_sum", for histograms and summaries; otherwise "". */
static void metrics_write_count(Exposition *exposition, const Metric *metric, const char *suffix,
                                const char *labels, uint64_t value)
{
        exposition_printf(exposition, labels[0] ? "%s%s{%s} %" PRIu64 "\n" : "%s%s%s %" PRIu64 "\n",
                          metric->name, suffix, labels, value);
}

/* Writes nanoseconds as seconds, without unnecessary zeros. Does not use floating point. */
static const char *metrics_seconds(uint64_t nsec, char ret[static NUMBER_MAX])
{
        int n = snprintf(ret, NUMBER_MAX, "%" PRIu64 ".%09" PRIu64, nsec / NSEC_PER_SEC,
                         nsec % NSEC_PER_SEC);

        while (ret[n - 1] == '0')
                n--;
        if (ret[n - 1] == '.')
                n--;
        ret[n] = '\0';
        return ret;
}

static void metrics_write_seconds(Exposition *exposition, const Metric *metric, const char *suffix,
                                  const char *labels, uint64_t nsec)
{
        char number[NUMBER_MAX];

        exposition_printf(exposition, labels[0] ? "%s%s{%s} %s\n" : "%s%s%s %s\n", metric->name,
                          suffix, labels, metrics_seconds(nsec, number));
}

/* Writes one value, or a value for each word of the label. */
static void metrics_write_values(const Metric *metric, const void *at, const char *instance,
                                 Exposition *exposition)
{
        const uint64_t *values = at;
        char labels[LABELS_MAX];

        if (!metric->words)
                metrics_write_count(exposition, metric, "", instance, *values);
        for (size_t i = 0; i < metric->n_words; i++) {
                snprintf(labels, sizeof(labels), "%s=\"%s\"", metric->label, metric->words[i]);
                metrics_write_count(exposition, metric, "", labels, values[i]);
        }
}

static void metrics_write_time(const Metric *metric, const void *at, const char *instance,
                               Exposition *exposition)
{
        metrics_write_seconds(exposition, metric, "", instance, *(const uint64_t *)at);
}

static void metrics_write_refusals(const Metric *metric, const void *at, const char *instance,
                                   Exposition *exposition)
{
        const uint64_t *values = at;
        char labels[LABELS_MAX];

        for (RefuseReason i = 0; i < REFUSE_REASON_COUNT; i++) {
                if (instance[0] && !refuse_reason_is_of_instance(i))
                        continue;
                snprintf(labels, sizeof(labels), "%s%sreason=\"%s\"", instance,
                         instance[0] ? "," : "", refuse_reason_name(i));
                metrics_write_count(exposition, metric, "", labels, values[i]);
        }
}

static void metrics_write_histogram(const Metric *metric, const void *at, const char *instance,
                                    Exposition *exposition)
{
        const Metrics *metrics = at;
        char bound[NUMBER_MAX], labels[LABELS_MAX];
        uint64_t count = 0;

        for (size_t i = 0; i <= LATENCY_BOUNDS; i++) {
                snprintf(labels, sizeof(labels), "le=\"%s\"",
                         i < LATENCY_BOUNDS ? metrics_seconds(latency_bounds_nsec[i], bound)
                                            : "+Inf");
                count += metrics->latency[i];
                metrics_write_count(exposition, metric, "_bucket", labels, count);
        }
        metrics_write_seconds(exposition, metric, "_sum", "", metrics->latency_nsec);
        metrics_write_count(exposition, metric, "_count", "", count);
}

static void metrics_write_latency(const Metric *metric, const void *at, const char *instance,
                                  Exposition *exposition)
{
        const InstanceMetrics *metrics = at;

        metrics_write_seconds(exposition, metric, "_sum", instance, metrics->latency_nsec);
        metrics_write_count(exposition, metric, "_count", instance, metrics->handed_off);
}

#define WORDS(name, list) .label = (name), .words = (list), .n_words = ELEMENTSOF(list)
#define OF(field)         .write = metrics_write_values, .offset = offsetof(Metrics, field)
#define OF_INSTANCE(field)                                     \
        .write = metrics_write_values, .is_of_instance = true, \
        .offset = offsetof(InstanceMetrics, field)
#define REFUSALS(of) .write = metrics_write_refusals, .offset = offsetof(of, refused)

static const Metric metrics_table[] = {
        { METRIC_ACCEPTED, "counter", "Connections accepted.", OF(accepted) },
        { METRIC_HANDED_OFF, "counter", "Connections handed off to an instance, by kind of route.",
          OF(handed_off), WORDS("reason", reason_words) },
        { METRIC_REFUSED, "counter", "Connections refused, by reason.", REFUSALS(Metrics) },
        { "bellhop_redirected_total", "counter",
          "Plain HTTP connections answered with a redirect to HTTPS.", OF(redirected) },
        { "bellhop_challenges_total", "counter",
          "Connections from certificate authorities for a pending challenge, by type of challenge.",
          OF(challenges), WORDS("type", challenge_names) },
        { "bellhop_gone_total", "counter",
          "Connections that clients closed before they could be routed.", OF(gone) },
        { METRIC_PENDING, "gauge",
          "Connections accepted and not yet handed off: they wait for bytes to sniff, for room in "
          "a hand-off socket, or for their instance's turn to start.",
          OF(pending), WORDS("state", state_words) },
        { "bellhop_pending_connections_max", "gauge",
          "Limit of pending connections: PendingMax=, or less if there are too few descriptors.",
          OF(pending_max) },
        { "bellhop_lingering_connections", "gauge",
          "Refused connections whose clients may still read the reply.", OF(lingering) },
        { "bellhop_pending_sources", "gauge", "Source prefixes with pending connections.",
          OF(sources) },
        { "bellhop_queue_full_waits_total", "counter",
          "Connections that had to wait because a hand-off socket was full.",
          OF(queue_full_waits) },
        { "bellhop_in_flight_waits_total", "counter",
          "Connections that had to wait because too many descriptors were in hand-off sockets.",
          OF(in_flight_waits) },
        { "bellhop_start_waits_total", "counter",
          "Connections that had to wait because too many instances were starting.",
          OF(start_waits) },
        { "bellhop_starts_total", "counter", "Hand-offs that started an instance.", OF(starts) },
        { "bellhop_late_starts_total", "counter",
          "Starts whose instance received no connection within 5 seconds.", OF(late_starts) },
        { "bellhop_starting_instances", "gauge",
          "Instances that a hand-off started and that have not yet received it.", OF(starting) },
        { "bellhop_starting_instances_max", "gauge",
          "Most instances that can start at a time: StartingMax=, or its default.",
          OF(starting_max) },
        { "bellhop_accept_pauses_total", "counter",
          "Times that the router paused accepting because descriptors or memory ran out.",
          OF(accept_pauses) },
        { "bellhop_usage_lost_total", "counter",
          "Hand-offs that were not reported to bellhop-usage, so its figures are incomplete.",
          OF(usage_lost) },
        { "bellhop_log_lines_lost_total", "counter",
          "Lines of the router's log that journald did not accept in time.", OF(log_lines_lost) },
        { "bellhop_handoff_latency_seconds", "histogram", "Time from accept to hand-off.",
          .write = metrics_write_histogram },
        { "bellhop_config_reloads_total", "counter", "Reloads of the configuration, by result.",
          OF(reloads), WORDS("result", reload_result_names) },
        { METRIC_CONFIG_LOADED, "gauge",
          "When the router began to read the configuration in force, since 1970-01-01.",
          .write = metrics_write_time, .offset = offsetof(Metrics, loaded_nsec) },
        { METRIC_CONFIG_PROBLEMS, "gauge", "Mistakes in the configuration in force.",
          OF(problems) },
        { "bellhop_instances", "gauge", "Instances in the configuration.", OF(instances) },
        { "bellhop_routes", "gauge", "Hosts and addresses that lead to an instance.", OF(routes) },
        { METRIC_INSTANCE_HANDED_OFF, "counter", "Connections handed off to this instance.",
          OF_INSTANCE(handed_off) },
        { METRIC_INSTANCE_LAST_HANDOFF, "gauge",
          "When this instance got its last connection, since 1970-01-01; 0: never.",
          OF_INSTANCE(last_sec) },
        { METRIC_INSTANCE_REFUSED, "counter",
          "Connections for this instance that were refused, by reason.", REFUSALS(InstanceMetrics),
          .is_of_instance = true },
        { METRIC_INSTANCE_REDIRECTED, "counter",
          "Plain HTTP connections for this instance answered with a redirect to HTTPS.",
          OF_INSTANCE(redirected) },
        { METRIC_INSTANCE_WAITING, "gauge",
          "Connections that wait for room in the instance's hand-off socket, or for its turn to "
          "start.",
          OF_INSTANCE(waiting) },
        { "bellhop_instance_queue_full_waits_total", "counter",
          "Connections that had to wait because the instance's hand-off socket was full.",
          OF_INSTANCE(queue_full_waits) },
        { "bellhop_instance_in_flight_waits_total", "counter",
          "Connections for this instance that had to wait because too many descriptors were in "
          "hand-off sockets.",
          OF_INSTANCE(in_flight_waits) },
        { "bellhop_instance_start_waits_total", "counter",
          "Connections for this instance that had to wait because too many instances were "
          "starting.",
          OF_INSTANCE(start_waits) },
        { "bellhop_instance_starts_total", "counter", "Hand-offs that started this instance.",
          OF_INSTANCE(starts) },
        { "bellhop_instance_late_starts_total", "counter",
          "Starts after which this instance received no connection within 5 seconds.",
          OF_INSTANCE(late_starts) },
        { "bellhop_instance_handoff_latency_seconds", "summary",
          "Time from accept to hand-off, for this instance.", .write = metrics_write_latency,
          .is_of_instance = true },
};

void metrics_count_handoff(Metrics *metrics, InstanceMetrics *instance,
                           const struct bellhop_handoff *handoff, uint64_t now_nsec)
{
        const uint64_t nsec = now_nsec - handoff->accepted_nsec;
        size_t i = 0;

        while (i < LATENCY_BOUNDS && nsec > latency_bounds_nsec[i])
                i++;
        metrics->latency[i]++;
        metrics->latency_nsec += nsec;
        metrics->handed_off[handoff->reason - 1]++;
        instance->handed_off++;
        instance->latency_nsec += nsec;
        instance->last_nsec = now_nsec;
}

uint64_t metrics_sum(const uint64_t *values, size_t n)
{
        uint64_t total = 0;

        for (size_t i = 0; i < n; i++)
                total += values[i];
        return total;
}

/* Returns the index of the first instance after the last written one. */
static size_t metrics_next_instance(const MetricsSource *source, const MetricsCursor *cursor)
{
        size_t low = 0, high = source->n_instances;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;

                if (strcmp(source->instance_name(source->userdata, middle), cursor->last) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Writes the values of a metric, instance by instance, until exposition has at least the given
 * number of bytes. Returns false if some instances are not written yet. */
static bool metrics_write_instances(const Metric *metric, const MetricsSource *source,
                                    MetricsCursor *cursor, Exposition *exposition, size_t bytes)
{
        static const InstanceMetrics nothing;
        char label[LABELS_MAX];

        for (size_t i = metrics_next_instance(source, cursor); i < source->n_instances; i++) {
                const void *metrics = source->instance_metrics(source->userdata, i);
                const char *name = source->instance_name(source->userdata, i);

                if (exposition->size >= bytes)
                        return false;
                snprintf(label, sizeof(label), "instance=\"%s\"", name);
                metric->write(metric, (const char *)(metrics ? metrics : &nothing) + metric->offset,
                              label, exposition);
                (void)snprintf(cursor->last, sizeof(cursor->last), "%s", name);
        }
        return true;
}

bool metrics_write(const MetricsSource *source, MetricsCursor *cursor, Exposition *exposition,
                   size_t bytes)
{
        for (; cursor->metric < ELEMENTSOF(metrics_table); cursor->metric++) {
                const Metric *metric = &metrics_table[cursor->metric];

                if (exposition->size >= bytes)
                        return true;
                if (!cursor->begun)
                        exposition_printf(exposition, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
                                          metric->help, metric->name, metric->type);
                cursor->begun = true;
                if (!metric->is_of_instance)
                        metric->write(metric, (const char *)source->metrics + metric->offset, "",
                                      exposition);
                else if (!metrics_write_instances(metric, source, cursor, exposition, bytes))
                        return true;
                cursor->begun = false;
                cursor->last[0] = '\0';
        }
        return false;
}
