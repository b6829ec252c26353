/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl status: all about one instance, and what to do if it does not serve.
 */
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>

#include "ctl/ask/fleet.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/journal.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

#define USEC_PER_SEC UINT64_C(1000000)

#define REFUSALS_SHOWN 5
#define LINES_SHOWN    10

typedef struct Status {
        const char *name;
        Fleet fleet;
        FleetEntry *entry;
        Hosts *hosts; /* of all instances */
        Hosts own;    /* of this one */
        char *file;   /* where it is described */
        char *user;   /* its user, with uid and home; NULL: there is none */
        char *socket; /* its hand-off socket */
        bool socket_there;
        time_t expires;
        int certificate;          /* 0, or why there is no date */
        char **refusals, **lines; /* of the journal */
        char **advice;            /* the most urgent first */
        size_t n_refusals, n_lines, n_advice;
} Status;

static void status_done(Status *status)
{
        char *const texts[] = { status->file, status->user, status->socket };

        if (status->hosts)
                hosts_free(status->hosts, status->fleet.config->n_instances);
        fleet_done(&status->fleet);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                free(texts[i]);
        texts_free(status->refusals, status->n_refusals);
        texts_free(status->lines, status->n_lines);
        texts_free(status->advice, status->n_advice);
}

/* --- what to do --- */

/* Without memory for it, advice is left out. */
__attribute__((format(printf, 2, 3))) static void status_advise(Status *status, const char *format,
                                                                ...)
{
        _cleanup_free_ char *text = NULL;
        va_list args;

        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        if (text)
                (void)texts_append(&status->advice, &status->n_advice, text);
}

static void status_advise_on_file(Status *status)
{
        const Config *config = status->fleet.config;

        for (size_t i = 0; i < config->n_problems; i++)
                if (strcmp(config->problems[i].file, status->file) == 0)
                        status_advise(status, "%s", config->problems[i].text);
        if (status->n_advice == 0)
                status_advise(status,
                              "%s is not there, but units of it are: 'bellhopctl apply' stops "
                              "them.",
                              status->file);
}

static void status_advise_all(Status *status)
{
        const FleetEntry *entry = status->entry;
        const Fleet *fleet = &status->fleet;

        if (!entry->instance)
                status_advise_on_file(status);
        else if (entry->state == FLEET_OFF || !status->socket_there)
                status_advise(status, "Its hand-off socket is not started, so visitors are "
                                      "refused: 'bellhopctl apply'");
        else if (fleet->router_error == 0 && entry->n_handoffs == UNKNOWN)
                status_advise(status, "The router does not know it yet: 'bellhopctl apply'");
        if (entry->state == FLEET_FAILED)
                status_advise(status,
                              "Its server has failed: 'journalctl -xeu bellhop@%s.service' says "
                              "why, 'bellhopctl check' finds mistakes in its files. The next "
                              "visitor starts it again.",
                              status->name);
        if (status->certificate == 0 && status->expires <= time(NULL))
                status_advise(status,
                              "Its certificate is over. Put a new one there, and: systemctl "
                              "try-reload-or-restart bellhop@%s.service",
                              status->name);
        if (status->certificate == -EBADMSG)
                status_advise(status, "Its certificate is damaged: 'bellhopctl check'");
        if (fleet->bus_error < 0)
                status_advise(status, "systemd does not answer: %s", strerror(-fleet->bus_error));
        if (fleet->router_error < 0)
                status_advise(status, "The router's numbers are missing: %s",
                              metrics_fetch_explain(fleet->router_error));
        if (geteuid() != 0)
                status_advise(status, "Without root, not all of this can be seen: use sudo");
}

/* --- asking --- */

/* 1: there is no such instance. */
static int status_load(const Ctl *ctl, Status *status)
{
        const char *name = status->name;
        const struct passwd *user;
        uint32_t number;
        int r = instance_name_is_valid(name)
                        ? fleet_load(ctl, name, FLEET_FOR_STATUS, &status->fleet)
                        : 1;

        if (r != 0)
                return r;
        status->entry = fleet_find(&status->fleet, name);
        if (!status->entry)
                return 1;
        status->file = name_path(NAME_INSTANCE_FILE, ctl->config_dir, name);
        status->socket = name_path(NAME_HANDOFF_SOCKET, ctl->runtime_dir, name);
        status->hosts = hosts_new(status->fleet.config->map, status->fleet.config->n_instances);
        if (!status->file || !status->socket || !status->hosts)
                return -ENOMEM;
        user = getpwnam(name);
        if (user)
                status->user =
                        text_format("%s (uid %u), %s", user->pw_name, user->pw_uid, user->pw_dir);
        number = config_find_instance(status->fleet.config, name);
        if (number != ROUTE_NONE)
                status->own = status->hosts[number];
        /* Any other error is that we may not look into the folder. */
        status->socket_there = access(status->socket, F_OK) == 0 || errno != ENOENT;
        status->certificate = fleet_expiry(ctl, &status->fleet, name, &status->expires);
        (void)journal_read(name, true, REFUSALS_SHOWN, &status->refusals, &status->n_refusals);
        (void)journal_read(name, false, LINES_SHOWN, &status->lines, &status->n_lines);
        status_advise_all(status);
        return 0;
}

/* --- one list of what is known, for people and for programs --- */

#define FIELDS_MAX 32

typedef struct Fields {
        Column columns[FIELDS_MAX]; /* heading NULL: for programs only */
        char *shown[FIELDS_MAX];    /* to people; NULL: nothing */
        char *values[FIELDS_MAX];   /* in JSON; NULL: null */
        size_t n;
} Fields;

static void fields_put(Fields *fields, const char *heading, const char *key, int json_type,
                       const char *shown, const char *value)
{
        fields->columns[fields->n] = (Column){ heading, key, 0, json_type };
        fields->shown[fields->n] = shown && shown[0] ? strdup(shown) : NULL;
        fields->values[fields->n++] = value && value[0] ? strdup(value) : NULL;
}

static void fields_text(Fields *fields, const char *heading, const char *key, const char *text)
{
        fields_put(fields, heading, key, SCOLS_JSON_STRING, text, text);
}

static void fields_number(Fields *fields, const char *heading, const char *key, uint64_t n,
                          const char *(*show)(uint64_t n, char *text))
{
        char shown[SHOWN_MAX], value[SHOWN_MAX];

        fields_put(fields, heading, key, SCOLS_JSON_NUMBER, show(n, shown),
                   n == UNKNOWN ? NULL : show_count(n, value));
}

static void fields_bool(Fields *fields, const char *heading, const char *key, bool known,
                        bool truth)
{
        fields_put(fields, heading, key, SCOLS_JSON_BOOLEAN, known ? truth ? "yes" : "no" : NULL,
                   known ? truth ? "1" : "0" : NULL);
}

static char *fields_join(char *const texts[], size_t n, const char *separator)
{
        char *joined = NULL;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *before = joined;

                joined = text_format("%s%s%s", before ? before : "", before ? separator : "",
                                     texts[i] ? texts[i] : "");
        }
        return joined;
}

static void fields_list(Fields *fields, const char *heading, const char *key, char *const texts[],
                        size_t n)
{
        _cleanup_free_ char *shown = fields_join(texts, n, " ");
        _cleanup_free_ char *lines = fields_join(texts, n, "\n");

        fields_put(fields, heading, key, SCOLS_JSON_ARRAY_STRING, shown, lines);
}

static void status_put_file(const Status *status, Fields *fields)
{
        static const char *const policies[] = {
                [HTTP_SERVE] = "serve", [HTTP_REDIRECT] = "redirect", [HTTP_REFUSE] = "refuse"
        };
        const Instance *instance = status->entry->instance;
        const uint64_t idle = instance ? instance->idle_usec / USEC_PER_SEC : UNKNOWN;
        _cleanup_free_ char *file =
                text_format("%s%s", status->file, instance ? "" : " (not in use)");
        _cleanup_free_ char *socket =
                text_format("%s%s", status->socket, status->socket_there ? "" : " (not there)");
        char span[SHOWN_MAX], seconds[SHOWN_MAX];

        fields_put(fields, "File", "file", SCOLS_JSON_STRING, file, status->file);
        fields_put(fields, "User", "user", SCOLS_JSON_STRING, status->user,
                   status->user ? status->name : NULL);
        fields_list(fields, "Hosts", "hosts", status->own.hosts, status->own.n_hosts);
        fields_list(fields, "Addresses", "addresses", status->own.addresses,
                    status->own.n_addresses);
        fields_bool(fields, "Default", "default", instance, instance && instance->is_default);
        fields_text(fields, "Plain HTTP", "http", instance ? policies[instance->http] : NULL);
        fields_bool(fields, "Network", "network", instance, instance && instance->network);
        fields_put(fields, "Idle exit", "idle_seconds", SCOLS_JSON_NUMBER,
                   !instance   ? NULL
                   : idle == 0 ? "never"
                               : show_span(idle, span),
                   instance ? show_count(idle, seconds) : NULL);
        fields_put(fields, "Socket", "socket", SCOLS_JSON_STRING, socket, status->socket);
        fields_bool(fields, NULL, "socket_exists", true, status->socket_there);
}

static void status_put_numbers(const Status *status, Fields *fields)
{
        const FleetEntry *entry = status->entry;
        const bool runs = entry->state == FLEET_ACTIVE;
        const time_t last = (time_t)entry->last_used;
        char ago[SHOWN_MAX], then[SHOWN_MAX];

        fields_number(fields, runs ? "Main PID" : NULL, "pid", status->entry->pid, show_count);
        fields_number(fields, runs ? "Memory" : NULL, "memory_bytes", entry->memory, show_bytes);
        fields_number(fields, runs ? "CPU" : NULL, "cpu_nsec", entry->cpu_nsec, show_nsec);
        fields_number(fields, "Connections", "connections", entry->n_open, show_count);
        fields_text(fields, "Status", "status", status->entry->said);
        /* Since the router was started, as the next two. */
        fields_number(fields, "Hand-offs", "handoffs", entry->n_handoffs, show_count);
        fields_number(fields, "Refused", "refused", entry->n_refused, show_count);
        fields_number(fields, "Redirected", "redirected", entry->n_redirected, show_count);
        fields_number(fields, "Waiting", "waiting", entry->n_waiting, show_count);
        fields_put(fields, "Last used", "last_used", SCOLS_JSON_STRING,
                   show_ago(last, time(NULL), ago), last > 0 ? show_time(last, then) : NULL);
}

static void status_put_certificate(const Status *status, Fields *fields)
{
        char left[SHOWN_MAX], then[SHOWN_MAX];
        _cleanup_free_ char *shown =
                status->certificate == -ENOENT
                        ? strdup("none, so no HTTPS")
                        : text_format("%s%s", status->certificate < 0 ? "not known: " : "ends ",
                                      status->certificate < 0
                                              ? strerror(-status->certificate)
                                              : show_left(status->expires, time(NULL), left));

        fields_put(fields, "Certificate", "certificate_expires", SCOLS_JSON_STRING, shown,
                   status->certificate == 0 ? show_time(status->expires, then) : NULL);
}

static int status_print_json(const Output *output, const Fields *fields)
{
        Table table = table_new(output, "instances", fields->columns, fields->n);

        table_add(&table);
        for (size_t i = 0; i < fields->n; i++)
                table_set(&table, i, fields->values[i]);
        return table_print(&table);
}

static void status_print_lines(const Output *output, const char *title, char *const lines[],
                               size_t n)
{
        if (n > 0)
                printf("\n%s%s:%s\n", output_color(output, COLOR_STRONG), title,
                       output_color_end(output));
        for (size_t i = 0; i < n; i++)
                printf("  %s\n", lines[i]);
}

static void status_print_text(const Output *output, const Status *status, const Fields *fields)
{
        const FleetState state = status->entry->state;
        const OutputColor color = state == FLEET_ACTIVE || state == FLEET_IDLE  ? COLOR_GOOD
                                  : state == FLEET_FAILED || state == FLEET_OFF ? COLOR_ERROR
                                                                                : COLOR_WARNING;
        const time_t since = status->entry->since_usec == UNKNOWN
                                     ? 0
                                     : (time_t)(status->entry->since_usec / USEC_PER_SEC);
        char ago[SHOWN_MAX];

        printf("%s●%s %s%s%s - %s", output_color(output, color), output_color_end(output),
               output_color(output, COLOR_STRONG), status->name, output_color_end(output),
               fleet_state_names[state]);
        if (state == FLEET_FAILED && status->entry->result)
                printf(" (%s)", status->entry->result);
        printf("%s%s\n", since > 0 ? ", " : "", since > 0 ? show_ago(since, time(NULL), ago) : "");
        for (size_t i = 0; i < fields->n; i++)
                if (fields->columns[i].heading && fields->shown[i])
                        printf("%12s: %s\n", fields->columns[i].heading, fields->shown[i]);
        status_print_lines(output, "Refused", status->refusals, status->n_refusals);
        status_print_lines(output, "Journal", status->lines, status->n_lines);
        status_print_lines(output, "To do", status->advice, status->n_advice);
}

static int status_print(const Output *output, const Status *status)
{
        const FleetState state = status->entry->state;
        Fields fields = { .n = 0 };
        int r = 0;

        fields_text(&fields, NULL, "instance", status->name);
        fields_text(&fields, NULL, "state",
                    state == FLEET_UNKNOWN ? NULL : fleet_state_names[state]);
        fields_text(&fields, NULL, "result", status->entry->result);
        status_put_file(status, &fields);
        status_put_numbers(status, &fields);
        status_put_certificate(status, &fields);
        fields_list(&fields, NULL, "refusals", status->refusals, status->n_refusals);
        fields_list(&fields, NULL, "journal", status->lines, status->n_lines);
        fields_list(&fields, NULL, "to_do", status->advice, status->n_advice);
        if (output->json)
                r = status_print_json(output, &fields);
        else
                status_print_text(output, status, &fields);
        for (size_t i = 0; i < fields.n; i++) {
                free(fields.shown[i]);
                free(fields.values[i]);
        }
        return r;
}

CtlStatus verb_status(const Ctl *ctl, char *arguments[])
{
        Status status = { .name = arguments[0] };
        CtlStatus result = CTL_FINE;
        Output output;
        const int r = status_load(ctl, &status);

        if (r != 0) {
                if (r > 0)
                        output_error("There is no instance '%s'. 'bellhopctl list' shows all.",
                                     arguments[0]);
                else
                        (void)output_bad_configuration(ctl, r);
                status_done(&status);
                return CTL_FAILED;
        }
        output_start(ctl, &output);
        if (status_print(&output, &status) < 0)
                result = output_no_memory();
        /* As systemctl status does, for scripts. */
        if (status.entry->state == FLEET_FAILED || status.entry->state == FLEET_OFF ||
            !status.entry->instance)
                result = CTL_FAILED;
        status_done(&status);
        return output_done(&output, result);
}
