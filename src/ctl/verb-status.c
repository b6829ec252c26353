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
#define ADVICE_MAX     8

typedef struct Status {
        const char *name;
        Fleet fleet;
        FleetEntry *entry;
        Hosts *hosts; /* of all instances */
        Hosts own;    /* of this one */
        char *file;   /* where it is described */
        char *user;   /* its user, with uid and home; NULL: there is none */
        char *result; /* why its service ended; NULL: not known */
        char *said;   /* what the service says of itself; NULL: nothing */
        char *socket; /* its hand-off socket */
        bool socket_there;
        uint64_t since_usec, pid; /* UNKNOWN: nobody says */
        time_t expires;
        int certificate; /* 0, or why there is no date */
        JournalLines refusals, lines;
        char *advice[ADVICE_MAX]; /* the most urgent first */
        size_t n_advice;
} Status;

static void status_done(Status *status)
{
        char *const texts[] = { status->file, status->user, status->result, status->said,
                                status->socket };

        if (status->hosts)
                hosts_free(status->hosts, status->fleet.config->n_instances);
        fleet_done(&status->fleet);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                free(texts[i]);
        journal_lines_done(&status->refusals);
        journal_lines_done(&status->lines);
        for (size_t i = 0; i < status->n_advice; i++)
                free(status->advice[i]);
}

/* --- what to do --- */

/* Without memory for it, advice is left out. */
__attribute__((format(printf, 2, 3))) static void status_advise(Status *status, const char *format,
                                                                ...)
{
        va_list args;
        char *text;

        if (status->n_advice == ADVICE_MAX)
                return;
        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        if (text)
                status->advice[status->n_advice++] = text;
}

static void status_advise_on_result(Status *status)
{
        static const struct {
                const char *result, *words;
        } all[] = {
                { "oom-kill", "needed more memory than MemoryMax= lets it have" },
                { "timeout", "was not ready in time, or did not end" },
                { "resources", "lacked processes or memory, of its own or of the machine" },
                { "signal", "was killed" },
                { "core-dump", "has crashed" },
        };
        const char *words = "does not run as it is set up";

        for (size_t i = 0; status->result && i < ELEMENTSOF(all); i++)
                if (strcmp(all[i].result, status->result) == 0)
                        words = all[i].words;
        status_advise(status,
                      "Its server %s: 'journalctl -xeu bellhop@%s.service' says more, 'bellhopctl "
                      "check' finds mistakes in its files. The next visitor starts it again.",
                      words, status->name);
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
                status_advise_on_result(status);
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

static void status_ask_systemd(Status *status)
{
        const struct {
                const char *interface, *property;
                PropertyKind kind;
                void *ret;
        } asks[] = {
                { "Service", "Result", PROPERTY_STRING, &status->result },
                { "Service", "StatusText", PROPERTY_STRING, &status->said },
                { "Service", "MainPID", PROPERTY_NUMBER, &status->pid },
                { "Unit", "StateChangeTimestamp", PROPERTY_NUMBER, &status->since_usec },
        };
        char unit[NAME_UNIT_MAX];

        (void)name_unit(NAME_SERVICE_UNIT, status->name, unit);
        status->pid = status->since_usec = UNKNOWN;
        for (size_t i = 0; i < ELEMENTSOF(asks) && units_find(&status->fleet.units, unit); i++)
                (void)bus_get(status->fleet.bus, unit, asks[i].interface, asks[i].property,
                              asks[i].kind, asks[i].ret);
        if (status->pid == 0)
                status->pid = UNKNOWN;
}

/* 1: there is no such instance. */
static int status_load(const Ctl *ctl, Status *status)
{
        const char *name = status->name;
        const struct passwd *user;
        uint32_t number;
        int r = instance_name_is_valid(name) ? fleet_load(ctl, name, &status->fleet) : 1;

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
        status_ask_systemd(status);
        (void)journal_read(name, true, REFUSALS_SHOWN, &status->refusals);
        (void)journal_read(name, false, LINES_SHOWN, &status->lines);
        status_advise_all(status);
        return 0;
}

/* --- for people --- */

static const char *const http_names[] = {
        [HTTP_SERVE] = "serve", [HTTP_REDIRECT] = "redirect", [HTTP_REFUSE] = "refuse"
};

static void status_print_words(const char *title, char *const words[], size_t n)
{
        if (n > 0)
                printf("%12s:", title);
        for (size_t i = 0; i < n; i++)
                printf(" %s", words[i]);
        if (n > 0)
                printf("\n");
}

static void status_print_file(const Status *status)
{
        const Instance *instance = status->entry->instance;
        char idle[SHOWN_MAX];

        printf("%12s: %s%s\n", "File", status->file, instance ? "" : " (not in use)");
        if (status->user)
                printf("%12s: %s\n", "User", status->user);
        if (!instance)
                return;
        status_print_words("Hosts", status->own.hosts, status->own.n_hosts);
        status_print_words("Addresses", status->own.addresses, status->own.n_addresses);
        printf("%12s: plain HTTP %s, network %s, exits %s%s%s\n", "Settings",
               http_names[instance->http], instance->network ? "yes" : "no",
               instance->idle_usec > 0 ? "when idle for " : "never",
               instance->idle_usec > 0 ? show_span(instance->idle_usec / USEC_PER_SEC, idle) : "",
               instance->is_default ? ", default" : "");
}

static void status_print_numbers(const Status *status)
{
        const FleetEntry *entry = status->entry;
        char texts[6][SHOWN_MAX];

        printf("%12s: %s%s\n", "Socket", status->socket,
               status->socket_there ? "" : " (not there)");
        if (entry->state == FLEET_ACTIVE) {
                printf("%12s: pid %s, memory %s, open connections %s", "Server",
                       show_count(status->pid, texts[0]), show_bytes(entry->memory, texts[1]),
                       show_count(entry->n_open, texts[2]));
                if (entry->cpu_nsec != UNKNOWN)
                        printf(", CPU %.2fs", (double)entry->cpu_nsec / 1e9);
                printf("%s%s\n", status->said && status->said[0] ? "; " : "",
                       status->said ? status->said : "");
        }
        printf("%12s: %s since the router was started, last %s; refused %s, redirected %s, waiting "
               "%s\n",
               "Hand-offs", show_count(entry->n_handoffs, texts[0]),
               entry->last_used == 0 ? "never"
                                     : show_ago((time_t)entry->last_used, time(NULL), texts[1]),
               show_count(entry->n_refused, texts[2]), show_count(entry->n_redirected, texts[3]),
               show_count(entry->n_waiting, texts[4]));
}

static void status_print_certificate(const Output *output, const Status *status)
{
        const time_t now = time(NULL);
        char left[SHOWN_MAX];

        printf("%12s: ", "Certificate");
        if (status->certificate == -ENOENT)
                printf("none, so no HTTPS\n");
        else if (status->certificate < 0)
                printf("not known: %s\n", strerror(-status->certificate));
        else
                printf("ends %s%s%s\n",
                       output_color(output, status->expires <= now ? COLOR_ERROR : COLOR_NONE),
                       show_left(status->expires, now, left), output_color_end(output));
}

static void status_print_title(const Output *output, const char *title)
{
        printf("\n%s%s:%s\n", output_color(output, COLOR_STRONG), title, output_color_end(output));
}

static void status_print_lines(const Output *output, const char *title, const JournalLines *lines)
{
        if (lines->n > 0)
                status_print_title(output, title);
        for (size_t i = 0; i < lines->n; i++) {
                const time_t then = (time_t)(lines->lines[i].usec / USEC_PER_SEC);
                char text[SHOWN_MAX];
                struct tm tm;

                (void)localtime_r(&then, &tm);
                (void)strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm);
                printf("  %s %s\n", text, lines->lines[i].text);
        }
}

static void status_print_text(const Output *output, const Status *status)
{
        const FleetState state = status->entry->state;
        const OutputColor color = state == FLEET_ACTIVE || state == FLEET_IDLE  ? COLOR_GOOD
                                  : state == FLEET_FAILED || state == FLEET_OFF ? COLOR_ERROR
                                                                                : COLOR_WARNING;
        char since[SHOWN_MAX];

        printf("%s●%s %s%s%s - %s", output_color(output, color), output_color_end(output),
               output_color(output, COLOR_STRONG), status->name, output_color_end(output),
               fleet_state_names[state]);
        if (state == FLEET_FAILED && status->result)
                printf(" (%s)", status->result);
        if (status->since_usec != UNKNOWN && status->since_usec > 0)
                printf(", %s",
                       show_ago((time_t)(status->since_usec / USEC_PER_SEC), time(NULL), since));
        printf("\n");
        status_print_file(status);
        status_print_numbers(status);
        status_print_certificate(output, status);
        status_print_lines(output, "Refused", &status->refusals);
        status_print_lines(output, "Journal", &status->lines);
        if (status->n_advice > 0)
                status_print_title(output, "To do");
        for (size_t i = 0; i < status->n_advice; i++)
                printf("  %s\n", status->advice[i]);
}

/* --- for programs --- */

#define FIELDS_MAX 32

/* One object of JSON. */
typedef struct Fields {
        Column columns[FIELDS_MAX];
        char *values[FIELDS_MAX]; /* NULL: null */
        size_t n;
} Fields;

static void fields_take(Fields *fields, const char *key, int json_type, char *value)
{
        fields->columns[fields->n] = (Column){ "", key, 0, json_type };
        fields->values[fields->n++] = value;
}

static void fields_text(Fields *fields, const char *key, const char *text)
{
        fields_take(fields, key, SCOLS_JSON_STRING, text && text[0] ? strdup(text) : NULL);
}

static void fields_time(Fields *fields, const char *key, time_t then)
{
        char text[SHOWN_MAX];

        fields_text(fields, key, then > 0 ? show_time(then, text) : NULL);
}

static void fields_number(Fields *fields, const char *key, uint64_t n)
{
        fields_take(fields, key, SCOLS_JSON_NUMBER,
                    n == UNKNOWN ? NULL : text_format("%" PRIu64, n));
}

static void fields_bool(Fields *fields, const char *key, const bool *value)
{
        fields_take(fields, key, SCOLS_JSON_BOOLEAN, value ? strdup(*value ? "1" : "0") : NULL);
}

/* A line for each element. */
static void fields_list(Fields *fields, const char *key, char *const texts[], size_t n)
{
        char *joined = NULL;

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *before = joined;

                joined = text_format("%s%s%s", before ? before : "", before ? "\n" : "",
                                     texts[i] ? texts[i] : "");
        }
        fields_take(fields, key, SCOLS_JSON_ARRAY_STRING, joined);
}

static void fields_lines(Fields *fields, const char *key, const JournalLines *lines)
{
        char *texts[REFUSALS_SHOWN + LINES_SHOWN] = { NULL }, then[SHOWN_MAX];

        for (size_t i = 0; i < lines->n; i++) {
                (void)show_time((time_t)(lines->lines[i].usec / USEC_PER_SEC), then);
                texts[i] = text_format("%s %s", then, lines->lines[i].text);
        }
        fields_list(fields, key, texts, lines->n);
        for (size_t i = 0; i < lines->n; i++)
                free(texts[i]);
}

static int fields_print(Fields *fields, const Output *output)
{
        Table table = table_new(output, "instances", fields->columns, fields->n);

        table_add(&table);
        for (size_t i = 0; i < fields->n; i++) {
                table_set(&table, i, fields->values[i]);
                free(fields->values[i]);
        }
        return table_print(&table);
}

static void status_put_settings(const Status *status, Fields *fields)
{
        const Instance *instance = status->entry->instance;

        fields_list(fields, "hosts", status->own.hosts, status->own.n_hosts);
        fields_list(fields, "addresses", status->own.addresses, status->own.n_addresses);
        fields_bool(fields, "default", instance ? &instance->is_default : NULL);
        fields_text(fields, "http", instance ? http_names[instance->http] : NULL);
        fields_bool(fields, "network", instance ? &instance->network : NULL);
        fields_number(fields, "idle_seconds",
                      instance ? instance->idle_usec / USEC_PER_SEC : UNKNOWN);
}

static int status_print_json(const Output *output, const Status *status)
{
        const FleetEntry *entry = status->entry;
        Fields fields = { .n = 0 };

        fields_text(&fields, "instance", status->name);
        fields_text(&fields, "state",
                    entry->state == FLEET_UNKNOWN ? NULL : fleet_state_names[entry->state]);
        fields_text(&fields, "result", status->result);
        fields_text(&fields, "file", status->file);
        fields_text(&fields, "user", status->user ? status->name : NULL);
        status_put_settings(status, &fields);
        fields_text(&fields, "socket", status->socket);
        fields_bool(&fields, "socket_exists", &status->socket_there);
        fields_number(&fields, "pid", status->pid);
        fields_number(&fields, "memory_bytes", entry->memory);
        fields_number(&fields, "cpu_nsec", entry->cpu_nsec);
        fields_number(&fields, "connections", entry->n_open);
        fields_text(&fields, "status", status->said);
        fields_number(&fields, "handoffs", entry->n_handoffs);
        fields_number(&fields, "refused", entry->n_refused);
        fields_number(&fields, "redirected", entry->n_redirected);
        fields_number(&fields, "waiting", entry->n_waiting);
        fields_time(&fields, "last_used", (time_t)entry->last_used);
        fields_time(&fields, "certificate_expires", status->certificate == 0 ? status->expires : 0);
        fields_lines(&fields, "refusals", &status->refusals);
        fields_lines(&fields, "journal", &status->lines);
        fields_list(&fields, "to_do", status->advice, status->n_advice);
        return fields_print(&fields, output);
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
        if (!ctl->json)
                status_print_text(&output, &status);
        else if (status_print_json(&output, &status) < 0)
                result = output_no_memory();
        /* As systemctl status does, for scripts. */
        if (status.entry->state == FLEET_FAILED || status.entry->state == FLEET_OFF ||
            !status.entry->instance)
                result = CTL_FAILED;
        status_done(&status);
        return output_done(&output, result);
}
