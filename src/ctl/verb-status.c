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

#define USEC_PER_SEC UINT64_C(1000000)

#define REFUSALS_SHOWN 5
#define LINES_SHOWN    10
#define ADVICE_MAX     8

typedef struct Status {
        const Ctl *ctl;
        const char *name;
        Fleet fleet;
        Member *member;
        Hosts *hosts;     /* of all instances */
        const Hosts *own; /* of this one; NULL: its file is not in use */
        char *file;       /* where it is described */
        char *result;     /* why its server ended; NULL: not known */
        char *socket;     /* its hand-off socket */
        bool socket_there;
        uint64_t since_usec, n_restarts, pid;
        time_t expires;
        int certificate; /* 0, or why there is no date */
        JournalLines refusals, lines;
        char *advice[ADVICE_MAX]; /* the first things first */
        size_t n_advice;
} Status;

static void status_done(Status *status)
{
        hosts_free(status->hosts, status->fleet.config);
        fleet_done(&status->fleet);
        free(status->file);
        free(status->result);
        free(status->socket);
        journal_lines_done(&status->refusals);
        journal_lines_done(&status->lines);
        for (size_t i = 0; i < status->n_advice; i++)
                free(status->advice[i]);
}

/* --- what to do --- */

/* Advice is left out when there is no memory for it. */
__attribute__((format(printf, 2, 3))) static void advise(Status *status, const char *format, ...)
{
        va_list args;
        char *text;
        int r;

        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        if (r < 0)
                return;
        if (status->n_advice == ADVICE_MAX)
                free(text);
        else
                status->advice[status->n_advice++] = text;
}

static void advise_on_result(Status *status)
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
        advise(status,
               "Its server %s: 'journalctl -xeu bellhop@%s.service' says more, 'bellhopctl check' "
               "finds mistakes in its files. The next visitor starts it again.",
               words, status->name);
}

static void advise_on_file(Status *status)
{
        const Config *config = status->fleet.config;
        bool found = false;

        for (size_t i = 0; i < config->n_problems; i++)
                if (strcmp(config->problems[i].file, status->file) == 0) {
                        advise(status, "%s", config->problems[i].text);
                        found = true;
                }
        if (!found)
                advise(status,
                       "%s is not there, but units of it are: 'bellhopctl apply' stops "
                       "them.",
                       status->file);
}

static void advise_all(Status *status)
{
        const Member *member = status->member;
        const Fleet *fleet = &status->fleet;

        if (!member->instance)
                advise_on_file(status);
        else if (member->state == SITE_OFF || !status->socket_there)
                advise(status, "Its hand-off socket is not started, so visitors are refused: "
                               "'bellhopctl apply'");
        else if (fleet->router_error == 0 && member->n_handoffs == UNKNOWN)
                advise(status, "The router does not know it yet: 'bellhopctl apply'");
        if (member->state == SITE_FAILED)
                advise_on_result(status);
        if (status->certificate == 0 && status->expires <= time(NULL))
                advise(status,
                       "Its certificate is over. Put a new one there, and: systemctl "
                       "try-reload-or-restart bellhop@%s.service",
                       status->name);
        if (status->certificate == -EBADMSG)
                advise(status, "Its certificate is damaged: 'bellhopctl check'");
        if (fleet->bus_error < 0)
                advise(status, "systemd does not answer: %s", strerror(-fleet->bus_error));
        if (fleet->router_error < 0)
                advise(status, "The router's numbers are missing: %s",
                       metrics_fetch_explain(fleet->router_error));
        if (geteuid() != 0)
                advise(status, "Without root, not all of this can be seen: use sudo");
}

/* --- asking --- */

static void ask_units(Status *status)
{
        sd_bus *bus = status->fleet.bus;
        char service[UNIT_NAME_MAX];

        unit_name(status->name, "service", service);
        if (!bus || !units_find(&status->fleet.units, service))
                return;
        /* What is not known stays so. */
        (void)bus_get_string(bus, service, "Service", "Result", &status->result);
        (void)bus_get_number(bus, service, "Service", "NRestarts", &status->n_restarts);
        (void)bus_get_number(bus, service, "Service", "MainPID", &status->pid);
        (void)bus_get_number(bus, service, "Unit", "StateChangeTimestamp", &status->since_usec);
}

/* 1: there is no such instance. */
static int load(const Ctl *ctl, const char *name, Status *status)
{
        uint32_t number;
        int r = fleet_load(ctl, name, &status->fleet);

        if (r < 0)
                return r;
        status->member = fleet_find(&status->fleet, name);
        if (!status->member)
                return 1;
        if (asprintf(&status->file, "%s/instances/%s.conf", ctl->config_dir, name) < 0)
                status->file = NULL;
        if (asprintf(&status->socket, "%s/%s.handoff", ctl->runtime_dir, name) < 0)
                status->socket = NULL;
        status->hosts = hosts_new(status->fleet.config);
        if (!status->file || !status->socket || !status->hosts)
                return -ENOMEM;
        number = config_find_instance(status->fleet.config, name);
        if (number != ROUTE_NONE)
                status->own = &status->hosts[number];
        /* Who may not look into the folder can't say that it is not there. */
        status->socket_there = access(status->socket, F_OK) == 0 || errno != ENOENT;
        status->certificate = fleet_expiry(ctl, &status->fleet, name, &status->expires);
        ask_units(status);
        (void)journal_refusals(name, REFUSALS_SHOWN, &status->refusals);
        (void)journal_lines(name, LINES_SHOWN, &status->lines);
        advise_all(status);
        return 0;
}

/* --- for people --- */

static const char *http_name(HttpPolicy http)
{
        return http == HTTP_SERVE ? "serve" : http == HTTP_REDIRECT ? "redirect" : "refuse";
}

static OutputColor color_of(SiteState state)
{
        return state == SITE_ACTIVE || state == SITE_IDLE  ? COLOR_GOOD
               : state == SITE_FAILED || state == SITE_OFF ? COLOR_ERROR
                                                           : COLOR_WARNING;
}

static void print_words(const char *title, char *const words[], size_t n)
{
        if (n > 0)
                printf("%12s:", title);
        for (size_t i = 0; i < n; i++)
                printf(" %s", words[i]);
        if (n > 0)
                printf("\n");
}

static void print_file(const Status *status)
{
        const Instance *instance = status->member->instance;
        const struct passwd *user = getpwnam(status->name);
        char idle[SHOWN_MAX];

        printf("%12s: %s%s\n", "File", status->file, instance ? "" : " (not in use)");
        if (user)
                printf("%12s: %s (uid %u), %s\n", "User", user->pw_name, user->pw_uid,
                       user->pw_dir);
        if (!instance)
                return;
        print_words("Hosts", status->own->hosts, status->own->n_hosts);
        print_words("Addresses", status->own->addresses, status->own->n_addresses);
        printf("%12s: plain HTTP %s, network %s, exits %s%s%s\n", "Settings",
               http_name(instance->http), instance->network ? "yes" : "no",
               instance->idle_usec > 0 ? "when idle for " : "never",
               instance->idle_usec > 0 ? show_span(instance->idle_usec / USEC_PER_SEC, idle) : "",
               instance->is_default ? ", default" : "");
}

static void print_server(const Status *status)
{
        const Member *member = status->member;
        char memory[SHOWN_MAX], n_open[SHOWN_MAX];

        printf("%12s: %s%s\n", "Socket", status->socket,
               status->socket_there ? "" : " (not there)");
        if (member->state != SITE_ACTIVE)
                return;
        printf("%12s: pid %" PRIu64 ", memory %s", "Server", status->pid,
               show_bytes(member->memory, memory));
        if (member->cpu_nsec != UNKNOWN)
                printf(", CPU %.2fs", (double)member->cpu_nsec / 1e9);
        /* Hand-offs, of which it tells too, have a line of their own. */
        if (member->n_open != UNKNOWN)
                printf(", open connections %s", show_count(member->n_open, n_open));
        else if (member->status)
                printf("; %s", member->status);
        printf("\n");
}

static void print_counts(const Status *status)
{
        const Member *member = status->member;
        char last[SHOWN_MAX], texts[4][SHOWN_MAX];

        printf("%12s: %s since the router was started, last %s; refused %s, redirected %s, waiting "
               "%s\n",
               "Hand-offs", show_count(member->n_handoffs, texts[0]),
               member->last_used == 0 ? "never"
                                      : show_ago((time_t)member->last_used, time(NULL), last),
               show_count(member->n_refused, texts[1]), show_count(member->n_redirected, texts[2]),
               show_count(member->n_waiting, texts[3]));
}

static void print_certificate(const Output *output, const Status *status)
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

static void print_lines(const Output *output, const char *title, const JournalLines *lines)
{
        if (lines->n > 0)
                printf("\n%s%s:%s\n", output_color(output, COLOR_STRONG), title,
                       output_color_end(output));
        for (size_t i = 0; i < lines->n; i++) {
                const time_t then = (time_t)(lines->lines[i].usec / USEC_PER_SEC);
                char text[SHOWN_MAX];
                struct tm tm;

                (void)localtime_r(&then, &tm);
                (void)strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm);
                printf("  %s %s\n", text, lines->lines[i].text);
        }
}

static void print_text(const Output *output, const Status *status)
{
        const SiteState state = status->member->state;
        char since[SHOWN_MAX];

        printf("%s●%s %s%s%s - %s", output_color(output, color_of(state)), output_color_end(output),
               output_color(output, COLOR_STRONG), status->name, output_color_end(output),
               site_state_names[state]);
        if (state == SITE_FAILED && status->result)
                printf(" (%s)", status->result);
        if (status->since_usec > 0)
                printf(", %s",
                       show_ago((time_t)(status->since_usec / USEC_PER_SEC), time(NULL), since));
        printf("\n");
        print_file(status);
        print_server(status);
        print_counts(status);
        print_certificate(output, status);
        print_lines(output, "Refused", &status->refusals);
        print_lines(output, "Journal", &status->lines);
        if (status->n_advice > 0)
                printf("\n%sTo do:%s\n", output_color(output, COLOR_STRONG),
                       output_color_end(output));
        for (size_t i = 0; i < status->n_advice; i++)
                printf("  %s\n", status->advice[i]);
}

/* --- for programs --- */

enum {
        INSTANCE,
        STATE,
        RESULT,
        FILE_,
        USER,
        HOSTS,
        ADDRESSES,
        DEFAULT,
        HTTP,
        NETWORK,
        IDLE,
        SOCKET,
        SOCKET_THERE,
        PID,
        MEMORY,
        CPU,
        OPEN,
        STATUS,
        HANDOFFS,
        REFUSED,
        REDIRECTED,
        WAITING,
        LAST,
        EXPIRES,
        REFUSALS,
        LINES,
        ADVICE,
        COLUMNS
};

static const Column columns[COLUMNS] = {
        [INSTANCE] = { "", "instance", 0, SCOLS_JSON_STRING },
        [STATE] = { "", "state", 0, SCOLS_JSON_STRING },
        [RESULT] = { "", "result", 0, SCOLS_JSON_STRING },
        [FILE_] = { "", "file", 0, SCOLS_JSON_STRING },
        [USER] = { "", "user", 0, SCOLS_JSON_STRING },
        [HOSTS] = { "", "hosts", 0, SCOLS_JSON_ARRAY_STRING },
        [ADDRESSES] = { "", "addresses", 0, SCOLS_JSON_ARRAY_STRING },
        [DEFAULT] = { "", "default", 0, SCOLS_JSON_BOOLEAN },
        [HTTP] = { "", "http", 0, SCOLS_JSON_STRING },
        [NETWORK] = { "", "network", 0, SCOLS_JSON_BOOLEAN },
        [IDLE] = { "", "idle_seconds", 0, SCOLS_JSON_NUMBER },
        [SOCKET] = { "", "socket", 0, SCOLS_JSON_STRING },
        [SOCKET_THERE] = { "", "socket_exists", 0, SCOLS_JSON_BOOLEAN },
        [PID] = { "", "pid", 0, SCOLS_JSON_NUMBER },
        [MEMORY] = { "", "memory_bytes", 0, SCOLS_JSON_NUMBER },
        [CPU] = { "", "cpu_nsec", 0, SCOLS_JSON_NUMBER },
        [OPEN] = { "", "connections", 0, SCOLS_JSON_NUMBER },
        [STATUS] = { "", "status", 0, SCOLS_JSON_STRING },
        [HANDOFFS] = { "", "handoffs", 0, SCOLS_JSON_NUMBER },
        [REFUSED] = { "", "refused", 0, SCOLS_JSON_NUMBER },
        [REDIRECTED] = { "", "redirected", 0, SCOLS_JSON_NUMBER },
        [WAITING] = { "", "waiting", 0, SCOLS_JSON_NUMBER },
        [LAST] = { "", "last_used", 0, SCOLS_JSON_STRING },
        [EXPIRES] = { "", "certificate_expires", 0, SCOLS_JSON_STRING },
        [REFUSALS] = { "", "refusals", 0, SCOLS_JSON_ARRAY_STRING },
        [LINES] = { "", "journal", 0, SCOLS_JSON_ARRAY_STRING },
        [ADVICE] = { "", "to_do", 0, SCOLS_JSON_ARRAY_STRING },
};

static int set_number(TableLine *line, size_t column, uint64_t n)
{
        return n == UNKNOWN ? 0 : table_setf(line, column, "%" PRIu64, n);
}

/* One a line, as an array. */
static int set_words(TableLine *line, size_t column, char *const words[], size_t n)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                fprintf(out, "%s%s", i > 0 ? "\n" : "", words[i]);
        if (fclose(out) != 0)
                return -ENOMEM;
        return n == 0 ? 0 : table_set(line, column, text);
}

static int set_lines(TableLine *line, size_t column, const JournalLines *lines)
{
        _cleanup_free_ char **words = calloc(lines->n + 1, sizeof(*words));
        int r = words ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < lines->n; i++) {
                char then[SHOWN_MAX];

                (void)show_time((time_t)(lines->lines[i].usec / USEC_PER_SEC), then);
                if (asprintf(&words[i], "%s %s", then, lines->lines[i].text) < 0) {
                        words[i] = NULL;
                        r = -ENOMEM;
                }
        }
        if (r == 0)
                r = set_words(line, column, words, lines->n);
        for (size_t i = 0; words && i < lines->n; i++)
                free(words[i]);
        return r;
}

static int fill_settings(const Status *status, TableLine *line)
{
        const Instance *instance = status->member->instance;
        int r;

        if (!instance)
                return 0;
        r = set_words(line, HOSTS, status->own->hosts, status->own->n_hosts);
        if (r == 0)
                r = set_words(line, ADDRESSES, status->own->addresses, status->own->n_addresses);
        if (r == 0)
                r = table_set_bool(line, DEFAULT, instance->is_default);
        if (r == 0)
                r = table_set(line, HTTP, http_name(instance->http));
        if (r == 0)
                r = table_set_bool(line, NETWORK, instance->network);
        return r < 0 ? r : set_number(line, IDLE, instance->idle_usec / USEC_PER_SEC);
}

static int fill_numbers(const Status *status, TableLine *line)
{
        const Member *member = status->member;
        const struct {
                size_t column;
                uint64_t value;
        } all[] = {
                { PID, status->pid > 0 ? status->pid : UNKNOWN },
                { MEMORY, member->memory },
                { CPU, member->cpu_nsec },
                { OPEN, member->n_open },
                { HANDOFFS, member->n_handoffs },
                { REFUSED, member->n_refused },
                { REDIRECTED, member->n_redirected },
                { WAITING, member->n_waiting },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(all); i++)
                r = set_number(line, all[i].column, all[i].value);
        return r;
}

static int fill_texts(const Status *status, TableLine *line)
{
        const Member *member = status->member;
        char last[SHOWN_MAX], expires[SHOWN_MAX];
        const char *const cells[COLUMNS] = {
                [INSTANCE] = status->name,
                [STATE] = member->state == SITE_UNKNOWN ? NULL : site_state_names[member->state],
                [RESULT] = status->result,
                [FILE_] = status->file,
                [USER] = getpwnam(status->name) ? status->name : NULL,
                [SOCKET] = status->socket,
                [STATUS] = member->status && member->status[0] ? member->status : NULL,
                [LAST] = member->last_used > 0 ? show_time((time_t)member->last_used, last) : NULL,
                [EXPIRES] = status->certificate == 0 ? show_time(status->expires, expires) : NULL,
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < COLUMNS; i++)
                if (cells[i])
                        r = table_set(line, i, cells[i]);
        return r;
}

static int print_json(const Output *output, const Status *status)
{
        Table *table = table_new(output, "instances", columns, COLUMNS);
        TableLine *line = table ? table_add(table, NULL) : NULL;
        int r = line ? fill_texts(status, line) : -ENOMEM;

        if (r == 0)
                r = fill_settings(status, line);
        if (r == 0)
                r = fill_numbers(status, line);
        if (r == 0)
                r = table_set_bool(line, SOCKET_THERE, status->socket_there);
        if (r == 0)
                r = set_lines(line, REFUSALS, &status->refusals);
        if (r == 0)
                r = set_lines(line, LINES, &status->lines);
        if (r == 0)
                r = set_words(line, ADVICE, status->advice, status->n_advice);
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

CtlStatus verb_status(const Ctl *ctl, char *arguments[])
{
        Status status = { .ctl = ctl, .name = arguments[0], .pid = 0 };
        CtlStatus result = CTL_FINE;
        Output output;
        const int r = instance_name_is_valid(arguments[0]) ? load(ctl, arguments[0], &status) : 1;

        if (r != 0) {
                if (r > 0)
                        output_error("There is no instance '%s'. 'bellhopctl list' tells which "
                                     "there are.",
                                     arguments[0]);
                else
                        output_error("The configuration in %s can't be read: %s.", ctl->config_dir,
                                     strerror(-r));
                status_done(&status);
                return CTL_FAILED;
        }
        output_start(ctl, &output);
        if (!ctl->json)
                print_text(&output, &status);
        else if (print_json(&output, &status) < 0)
                result = output_no_memory();
        /* As systemctl status does it, for scripts. */
        if (status.member->state == SITE_FAILED || status.member->state == SITE_OFF ||
            !status.member->instance)
                result = CTL_FAILED;
        status_done(&status);
        return output_done(&output, result);
}
