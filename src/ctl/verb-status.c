/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl status: shows everything about one instance, with advice if it does not serve clients.
 * The same list of fields is shown to people and, as JSON, to programs.
 */
#include <pwd.h>
#include <stdarg.h>

#include "acme/state.h"
#include "ctl/ask/events.h"
#include "ctl/ask/fleet.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/journal.h"
#include "ctl/ask/limits.h"
#include "ctl/ask/oom.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "mail/budget.h"
#include "util/cleanup.h"
#include "util/text.h"

#define USEC_PER_SEC UINT64_C(1000000)

#define REFUSALS_SHOWN 5
#define LINES_SHOWN    10

#define FIELDS_MAX 64

typedef struct Status {
        const Ctl *ctl;
        const char *name;
        Fleet fleet;
        Hosts *hosts; /* one for each of fleet.config->instances; NULL: no memory */
        FleetEntry *entry;
        Limits limits;
        Column columns[FIELDS_MAX]; /* if a heading is NULL, only JSON has the field */
        char *shown[FIELDS_MAX];    /* for people; NULL: nothing */
        char *values[FIELDS_MAX];   /* in JSON; NULL: null */
        size_t n_fields;
        char **advice; /* the most urgent first */
        size_t n_advice;
} Status;

/* Adds advice. If memory runs out, the advice is left out. */
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

/* --- fields of one kind --- */

static void status_put(Status *status, const char *heading, const char *key, int json_type,
                       const char *shown, const char *value)
{
        status->columns[status->n_fields] = (Column){ heading, key, 0, json_type };
        status->shown[status->n_fields] = shown && shown[0] ? strdup(shown) : NULL;
        status->values[status->n_fields++] = value && value[0] ? strdup(value) : NULL;
}

static void status_put_text(Status *status, const char *heading, const char *key, const char *text)
{
        status_put(status, heading, key, SCOLS_JSON_STRING, text, text);
        text_make_harmless(status->shown[status->n_fields - 1], 0);
}

static void status_put_number(Status *status, const char *heading, const char *key, uint64_t n,
                              const char *(*show)(uint64_t n, char *text))
{
        char shown[SHOWN_MAX], value[SHOWN_MAX];

        status_put(status, heading, key, SCOLS_JSON_NUMBER, show(n, shown),
                   n == UNKNOWN ? NULL : show_count(n, value));
}

static void status_put_bool(Status *status, const char *heading, const char *key, bool known,
                            bool truth)
{
        status_put(status, heading, key, SCOLS_JSON_BOOLEAN, known ? truth ? "yes" : "no" : NULL,
                   known ? truth ? "1" : "0" : NULL);
}

/* If the heading begins with a line break, it is printed above the elements, and each element is on
 * its own line. */
static void status_put_list(Status *status, const char *heading, const char *key,
                            char *const texts[], size_t n)
{
        _cleanup_free_ char *shown = NULL, *lines = NULL;

        /* A line break in an element would make two elements of it. */
        for (size_t i = 0; i < n; i++)
                text_make_harmless(texts[i], 0);
        shown = texts_join(texts, n, heading[0] == '\n' ? "\n  " : " ");
        lines = texts_join(texts, n, "\n");
        status_put(status, heading, key, SCOLS_JSON_ARRAY_STRING, shown, lines);
}

/* --- all fields --- */

/* Shows the instance's own mail limit. If it has none, the limit in mail.conf applies, which is not
 * shown. */
static void status_put_mail_limit(Status *status, const char *key, uint64_t n, const char *of_what)
{
        char count[SHOWN_MAX];
        _cleanup_free_ char *shown = text_format("%s %s", show_count(n, count), of_what);

        status_put(status, n == UNKNOWN ? NULL : "Mail limit", key, SCOLS_JSON_NUMBER, shown,
                   n == UNKNOWN ? NULL : count);
}

static const Hosts *status_hosts(const Status *status)
{
        static const Hosts none = { .n_hosts = 0 };
        const Instance *instance = status->entry->instance;

        return instance && status->hosts
                       ? &status->hosts[instance - status->fleet.config->instances]
                       : &none;
}

static void status_put_settings(Status *status)
{
        const Instance *instance = status->entry->instance;
        const uint64_t idle = instance ? instance->idle_usec / USEC_PER_SEC : 0;
        const Hosts *own = status_hosts(status);
        char span[SHOWN_MAX], seconds[SHOWN_MAX];

        status_put_list(status, "Hosts", "hosts", own->hosts, own->n_hosts);
        status_put_list(status, "Addresses", "addresses", own->addresses, own->n_addresses);
        status_put_bool(status, "Default", "default", instance, instance && instance->is_default);
        if (status->ctl->json || (instance && instance->canonical))
                status_put_text(status, "Canonical", "canonical",
                                instance ? instance->canonical : NULL);
        status_put_text(status, "Plain HTTP", "http",
                        instance ? http_policies[instance->http] : NULL);
        status_put_text(status, "Network", "network",
                        instance ? network_names[instance->network] : NULL);
        status_put_text(status, "Server", "server",
                        instance ? server_names[instance->server] : NULL);
        status_put_bool(status, "Suspended", "suspended", instance,
                        instance && instance->is_suspended);
        status_put(status, "Idle exit", "idle_seconds", SCOLS_JSON_NUMBER,
                   !instance  ? NULL
                   : idle > 0 ? show_span(idle, span)
                              : "never",
                   instance ? show_usec(instance->idle_usec, seconds) : NULL);
        status_put_mail_limit(status, "mail_per_hour", instance ? instance->mail.per_hour : UNKNOWN,
                              "messages an hour");
        status_put_mail_limit(status, "mail_per_day", instance ? instance->mail.per_day : UNKNOWN,
                              "messages a day");
        status_put_mail_limit(status, "mail_recipients_per_day",
                              instance ? instance->mail.recipients_per_day : UNKNOWN,
                              "recipients a day");
}

static int status_put_file(Status *status)
{
        const Config *config = status->fleet.config;
        const FleetEntry *entry = status->entry;
        _cleanup_free_ char *file =
                name_path(NAME_INSTANCE_FILE, status->ctl->config_dir, status->name);
        _cleanup_free_ char *socket =
                name_path(NAME_HANDOFF_SOCKET, status->ctl->runtime_dir, status->name);
        const bool socket_there = !socket || access(socket, F_OK) == 0 || errno != ENOENT;
        const struct passwd *user = getpwnam(status->name);
        char home[PATH_MAX];

        if (!file || !socket)
                return -ENOMEM;
        status_put_text(status, "File", "file", file);
        if (user)
                (void)snprintf(home, sizeof(home), "%s (uid %u), %s", user->pw_name, user->pw_uid,
                               user->pw_dir);
        status_put(status, "User", "user", SCOLS_JSON_STRING, user ? home : NULL,
                   user ? status->name : NULL);
        status_put_settings(status);
        status_put_text(status, "Socket", "socket", socket);
        status_put_bool(status, NULL, "socket_exists", true, socket_there);
        for (size_t i = 0; !entry->instance && i < config->n_problems; i++)
                if (strcmp(config->problems[i].file, file) == 0)
                        status_advise(status, "%s", config->problems[i].text);
        if (!entry->has_file)
                status_advise(status,
                              "%s does not exist, but the hand-off socket of the instance does: "
                              "'bellhopctl apply' stops this socket.",
                              file);
        else if (entry->instance && (entry->state == FLEET_OFF || !socket_there))
                status_advise(
                        status,
                        "The hand-off socket is not started, so clients are refused: "
                        "run 'bellhopctl apply'. If this fails, 'bellhopctl check' shows why.");
        else if (entry->instance && status->fleet.router_error == 0 && entry->n_handoffs == UNKNOWN)
                status_advise(status,
                              "The router does not know the instance yet: run 'bellhopctl apply'");
        return 0;
}

/* Shows how much of a resource the instance uses and, if there is a limit, also the limit: "1.5G of
 * 2.0G". */
static void status_put_use(Status *status, const char *heading, const char *key, uint64_t n,
                           LimitKind kind, const char *(*show)(uint64_t n, char *text))
{
        const uint64_t max = status->limits.max[kind];
        char used[SHOWN_MAX], most[SHOWN_MAX], value[SHOWN_MAX];
        _cleanup_free_ char *shown =
                text_format("%s%s%s", show(n, used), max == UNKNOWN ? "" : " of ",
                            max == UNKNOWN ? "" : show(max, most));

        status_put(status, n == UNKNOWN && max == UNKNOWN ? NULL : heading, key, SCOLS_JSON_NUMBER,
                   shown, n == UNKNOWN ? NULL : show_count(n, value));
}

static void status_put_max(Status *status, const char *key, LimitKind kind)
{
        const uint64_t max = status->limits.max[kind];
        char value[SHOWN_MAX], heading[SHOWN_MAX];

        status_put(status, kind == LIMIT_CPU && max != UNKNOWN ? "CPU limit" : NULL, key,
                   SCOLS_JSON_NUMBER, strcat((char *)show_percent(max, heading), "%"),
                   max == UNKNOWN      ? NULL
                   : kind == LIMIT_CPU ? show_percent(max, value)
                                       : show_count(max, value));
}

static void status_put_limits(Status *status)
{
        const FleetEntry *entry = status->entry;

        if (limits_ask(status->fleet.bus_error < 0 ? NULL : status->fleet.bus,
                       status->fleet.bus_error, (const char *const *)&status->name, 1,
                       &status->limits) < 0)
                return;
        status_put_use(status, "Memory", "memory_bytes", entry->memory, LIMIT_MEMORY, show_bytes);
        status_put_max(status, "memory_max_bytes", LIMIT_MEMORY);
        status_put_use(status, "Tasks", "tasks", entry->tasks, LIMIT_TASKS, show_count);
        status_put_max(status, "tasks_max", LIMIT_TASKS);
        status_put_max(status, "cpu_max_percent", LIMIT_CPU);
        status_put_use(status, "Disk", "disk_bytes", status->limits.disk_used, LIMIT_DISK,
                       show_bytes);
        status_put_max(status, "disk_max_bytes", LIMIT_DISK);
}

/* n: the kernel's count of killed programs */
static void status_put_oom(Status *status, uint64_t n)
{
        OomKills kills;
        const bool is_known = oom_read_journal(&kills) == 0;
        const time_t last = (time_t)(is_known ? oom_last(&kills, status->name) / USEC_PER_SEC : 0);
        const bool any = last > 0 || (n > 0 && n != UNKNOWN);
        char count[SHOWN_MAX], text[SHOWN_MAX];
        _cleanup_free_ char *shown =
                text_format("%s since it was started, the last %s", show_count(n, count),
                            show_ago(last, time(NULL), text));

        oom_done(&kills);
        status_put(status, any ? "OOM kills" : NULL, "oom_kills", SCOLS_JSON_NUMBER, shown,
                   n == UNKNOWN ? NULL : show_count(n, count));
        status_put(status, NULL, "last_oom_kill", SCOLS_JSON_STRING, NULL,
                   last > 0 ? show_time(last, text) : NULL);
        if (any)
                status_advise(status, "Programs of the instance were killed, because memory ran "
                                      "out: 'bellhopctl check' shows more");
}

/* n: how often the limit of tasks was reached */
static void status_put_tasks_max(Status *status, uint64_t n)
{
        const bool any = n > 0 && n != UNKNOWN;
        char count[SHOWN_MAX];
        _cleanup_free_ char *shown = text_format("reached %s time%s since it was started",
                                                 show_count(n, count), n == 1 ? "" : "s");

        status_put(status, any ? "Task limit" : NULL, "tasks_max_reached", SCOLS_JSON_NUMBER, shown,
                   n == UNKNOWN ? NULL : count);
        if (any)
                status_advise(
                        status,
                        "The instance reached its limit of tasks, so processes or threads did "
                        "not start: 'bellhopctl check' shows more");
}

static void status_put_events(Status *status)
{
        uint64_t n[EVENTS] = { UNKNOWN, UNKNOWN };

        if (status->entry->state == FLEET_ACTIVE)
                events_count(status->fleet.bus, status->name, n);
        status_put_oom(status, n[EVENT_OOM_KILL]);
        status_put_tasks_max(status, n[EVENT_TASKS_MAX]);
}

/* Reads the counts of messages from the file of bellhop-mail, so bellhop-mail need not be
 * running. */
static void status_put_mail(Status *status)
{
        const uint64_t now = (uint64_t)time(NULL);
        Budget budget = { .n_sites = 0 };
        const int r = budget_load(&budget, status->ctl->mail_dir);
        const struct passwd *user = getpwnam(status->name);
        const int site = r == 0 ? budget_find(&budget, status->name, user ? user->pw_uid : 0) : -1;
        const BudgetSite none = { .hour = 0 }, *of = site >= 0 ? &budget.sites[site] : &none;
        const uint64_t day = of->day == now / BUDGET_DAY_SEC ? of->in_day : 0;
        char today[SHOWN_MAX], sent[SHOWN_MAX], refused[SHOWN_MAX];
        _cleanup_free_ char *shown =
                text_format("%s sent today, %s in all, %s refused", show_count(day, today),
                            show_count(of->n_sent, sent), show_count(of->n_refused, refused));

        status_put(status, site >= 0 ? "Mail" : NULL, "mail_today", SCOLS_JSON_NUMBER, shown,
                   site >= 0 ? today : NULL);
        status_put(status, NULL, "mail_sent", SCOLS_JSON_NUMBER, NULL, site >= 0 ? sent : NULL);
        status_put(status, NULL, "mail_refused", SCOLS_JSON_NUMBER, NULL,
                   site >= 0 ? refused : NULL);
        budget_done(&budget);
}

static void status_put_numbers(Status *status)
{
        const FleetEntry *entry = status->entry;
        const bool runs = entry->state == FLEET_ACTIVE;
        const time_t last = (time_t)entry->last_used;
        char ago[SHOWN_MAX], then[SHOWN_MAX];

        status_put_number(status, runs ? "Main PID" : NULL, "pid", entry->pid, show_count);
        status_put_limits(status);
        status_put_events(status);
        status_put_number(status, runs ? "CPU" : NULL, "cpu_nsec", entry->cpu_nsec, show_nsec);
        status_put_number(status, "Connections", "connections", entry->n_open, show_count);
        /* The status text that the instance reports is not shown to people, because the numbers
         * above and below are newer. */
        status_put_text(status, NULL, "status", entry->said);
        status_put_number(status, "Hand-offs", "handoffs", entry->n_handoffs, show_count);
        status_put_number(status, "Refused", "refused", entry->n_refused, show_count);
        status_put_number(status, "Redirected", "redirected", entry->n_redirected, show_count);
        status_put_number(status, "Waiting", "waiting", entry->n_waiting, show_count);
        status_put_mail(status);
        status_put(status, "Last used", "last_used", SCOLS_JSON_STRING,
                   show_ago(last, time(NULL), ago), last > 0 ? show_time(last, then) : NULL);
        if (entry->state == FLEET_FAILED)
                status_advise(status,
                              "The server failed: 'journalctl -xeu bellhop@%s.service' shows why, "
                              "'bellhopctl check' finds mistakes in its files. The next connection "
                              "starts the server again.",
                              status->name);
}

/* Adds a time that only JSON has. If the parameter "then" is 0, the time is unknown or does not
 * exist, and the value is null. */
static void status_put_time(Status *status, const char *key, uint64_t then)
{
        char text[SHOWN_MAX];

        status_put(status, NULL, key, SCOLS_JSON_STRING, NULL,
                   then > 0 ? show_time((time_t)then, text) : NULL);
}

static char *status_show_acme(const Instance *instance, const AcmeState *acme, const char *expiry)
{
        const time_t next = (time_t)acme->next, now = time(NULL);
        char left[SHOWN_MAX];

        return text_format("%sautomatic, from authority %s; %s%s%s",
                           instance->is_suspended ? "suspended, " : "", instance->acme, expiry,
                           next > 0 ? "; next try " : "",
                           next == 0    ? ""
                           : next > now ? show_left(next, now, left)
                                        : "now");
}

static void status_put_acme(Status *status, const AcmeState *acme, bool is_known)
{
        char **lacks = NULL;
        size_t n_lacks = 0;

        status_put_time(status, "certificate_next_try", acme->next);
        status_put_time(status, "certificate_tried", acme->tried);
        status_put_number(status, NULL, "certificate_failures",
                          is_known ? acme->n_failures : UNKNOWN, show_count);
        status_put_text(status, "Last error", "certificate_error", acme->error);
        for (size_t i = 0; i < acme->n_failures_of_hosts; i++) {
                _cleanup_free_ char *text =
                        text_format("%s: %s", acme->failures[i].host, acme->failures[i].reason);

                if (text)
                        (void)texts_append(&lacks, &n_lacks, text);
        }
        status_put_list(status, "\nHosts that the certificate lacks", "certificate_lacks", lacks,
                        n_lacks);
        texts_free(lacks, n_lacks);
        if (acme->error || acme->n_failures_of_hosts > 0)
                status_advise(status,
                              "bellhop-acme can't get a certificate for all hosts of the instance: "
                              "'bellhopctl check --instance=%s' says what to do",
                              status->name);
}

static void status_put_certificate(Status *status)
{
        const Instance *instance = status->entry->instance;
        const bool is_acme = instance && instance->tls == TLS_ACME;
        AcmeState acme = { .next = 0 };
        const bool is_known =
                is_acme && acme_state_read(status->ctl->acme_dir, status->name, &acme) == 0;
        _cleanup_free_ char *automatic = NULL;
        const time_t now = time(NULL);
        FleetCertificate own = { .expires = 0 };
        const int r = fleet_certificate(status->ctl, &status->fleet, status->name,
                                        status_hosts(status), &own);
        const time_t ends = own.expires;
        char left[SHOWN_MAX], then[SHOWN_MAX];
        _cleanup_free_ char *shown =
                text_format("%s%s%s", own.is_self_signed ? "self-signed, " : "",
                            r == 0         ? ends > now ? "ends " : ""
                            : r == -ENOENT ? ""
                                           : "not known: ",
                            r == 0         ? ends > now ? show_left(ends, now, left) : "expired"
                            : r == -ENOENT ? "none, so no HTTPS"
                                           : strerror(-r));

        if (is_acme && shown)
                automatic = status_show_acme(instance, &acme, shown);
        status_put(status, "Certificate", "certificate_expires", SCOLS_JSON_STRING,
                   is_acme ? automatic : shown, r == 0 ? show_time(ends, then) : NULL);
        status_put_text(status, NULL, "tls", instance ? tls_source_names[instance->tls] : NULL);
        status_put_text(status, NULL, "acme", instance ? instance->acme : NULL);
        status_put_acme(status, &acme, is_known);
        acme_state_done(&acme);
        if (r == 0 && ends <= now && is_acme)
                status_advise(status,
                              "The certificate has expired, and bellhop-acme has not renewed it: "
                              "'bellhopctl check --instance=%s' shows more",
                              status->name);
        else if (r == 0 && ends <= now)
                status_advise(status,
                              "The certificate has expired. Replace it, then run: systemctl "
                              "try-reload-or-restart bellhop@%s.service",
                              status->name);
        if (r == -EBADMSG)
                status_advise(status, "The certificate is damaged: 'bellhopctl check' shows more");
}

static void status_put_journal(Status *status)
{
        const Fleet *fleet = &status->fleet;
        char **refusals = NULL, **lines = NULL;
        size_t n_refusals = 0, n_lines = 0;

        (void)journal_read(status->name, true, REFUSALS_SHOWN, &refusals, &n_refusals);
        (void)journal_read(status->name, false, LINES_SHOWN, &lines, &n_lines);
        status_put_list(status, "\nRefused", "refusals", refusals, n_refusals);
        status_put_list(status, "\nJournal", "journal", lines, n_lines);
        texts_free(refusals, n_refusals);
        texts_free(lines, n_lines);
        if (fleet->bus_error < 0)
                status_advise(status, "systemd does not answer: %s", strerror(-fleet->bus_error));
        if (fleet->router_error < 0)
                status_advise(status, "The router's figures are missing: %s",
                              metrics_fetch_explain(fleet->router_error));
        if (geteuid() != 0)
                status_advise(status, "Only root can see everything about an instance: use sudo");
        status_put_list(status, "\nTo do", "to_do", status->advice, status->n_advice);
}

/* Returns 0 on success, 1 if there is no such instance, or a negative errno. */
static int status_load(Status *status)
{
        const char *name = status->name;
        int r = 1;

        if (instance_name_is_valid(name))
                r = fleet_load(status->ctl, name, FLEET_FOR_STATUS, &status->fleet);
        status->entry = r == 0 ? fleet_find(&status->fleet, name) : NULL;
        if (!status->entry)
                return r == 0 ? 1 : r;
        status->hosts = hosts_new(status->fleet.config->map, status->fleet.config->n_instances);
        status_put_text(status, NULL, "instance", name);
        status_put_text(status, NULL, "state",
                        status->entry->state == FLEET_UNKNOWN
                                ? NULL
                                : fleet_state_names[fleet_shown_state(status->entry)]);
        status_put_text(status, NULL, "result", status->entry->result);
        r = status_put_file(status);
        status_put_numbers(status);
        status_put_certificate(status);
        status_put_journal(status);
        return r;
}

/* --- printing --- */

static int status_print_json(const Output *output, const Status *status)
{
        Table table = table_new(output, "instances", status->columns, status->n_fields);

        table_add(&table);
        for (size_t i = 0; i < status->n_fields; i++)
                table_set(&table, i, status->values[i]);
        return table_print(&table);
}

static void status_print_text(const Output *output, const Status *status)
{
        const FleetEntry *entry = status->entry;
        const FleetState state = fleet_shown_state(entry);
        const OutputColor color = state == FLEET_ACTIVE || state == FLEET_IDLE  ? COLOR_GOOD
                                  : state == FLEET_FAILED || state == FLEET_OFF ? COLOR_ERROR
                                                                                : COLOR_WARNING;
        char ago[SHOWN_MAX];

        output_paint(output, color, "●");
        output_print(" ");
        output_paint(output, COLOR_STRONG, "%s", status->name);
        output_print(" - %s", fleet_state_names[state]);
        if (state == FLEET_FAILED && entry->result)
                output_print(" (%s)", entry->result);
        if (entry->since_usec != UNKNOWN && entry->since_usec > 0)
                output_print(", %s",
                             show_ago((time_t)(entry->since_usec / USEC_PER_SEC), time(NULL), ago));
        output_print("\n");
        for (size_t i = 0; i < status->n_fields; i++) {
                const char *heading = status->columns[i].heading, *shown = status->shown[i];

                if (!heading || !shown)
                        continue;
                if (heading[0] == '\n') {
                        output_print("\n");
                        output_paint(output, COLOR_STRONG, "%s:", heading + 1);
                        output_print("\n  %s\n", shown);
                } else {
                        output_print("%12s: %s\n", heading, shown);
                }
        }
}

CtlStatus verb_status(const Ctl *ctl, char *arguments[])
{
        Status status = { .ctl = ctl, .name = arguments[0] };
        const int r = status_load(&status);
        CtlStatus result = CTL_FAILED;
        Output output;

        if (r > 0) {
                output_error("There is no instance '%s'. 'bellhopctl list' shows all instances.",
                             arguments[0]);
        } else if (r < 0) {
                result = output_bad_configuration(ctl, r);
        } else {
                output_start(ctl, &output);
                /* As with systemctl status, the exit status tells scripts about the state. */
                if (status.entry->state != FLEET_UNKNOWN && status.entry->state != FLEET_FAILED &&
                    status.entry->state != FLEET_OFF && status.entry->instance)
                        result = CTL_FINE;
                if (!ctl->json)
                        status_print_text(&output, &status);
                else if (status_print_json(&output, &status) < 0)
                        result = output_no_memory();
                result = output_done(&output, result);
        }
        for (size_t i = 0; i < status.n_fields; i++) {
                free(status.shown[i]);
                free(status.values[i]);
        }
        texts_free(status.advice, status.n_advice);
        if (status.hosts)
                hosts_free(status.hosts, status.fleet.config->n_instances);
        fleet_done(&status.fleet);
        return result;
}
