/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl list: prints one line for each selected instance, in the selected order.
 */
#include <fnmatch.h>
#include <pwd.h>

#include "acme/state.h"
#include "config/lines.h"
#include "ctl/ask/fleet.h"
#include "ctl/ask/hosts.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SOON (30 * 86400)

enum {
        NAME,
        USER,
        STATE,
        OPEN,
        HANDOFFS,
        MEMORY,
        LAST,
        EXPIRES,
        TLS,
        NEXT_TRY,
        ACME_ERROR,
        HOSTS,
        COLUMNS
};

static const Column columns[COLUMNS] = {
        [NAME] = { "INSTANCE", "instance", 0, SCOLS_JSON_STRING },
        [USER] = { "USER", "user", 0, SCOLS_JSON_STRING },
        [STATE] = { "STATE", "state", 0, SCOLS_JSON_STRING },
        [OPEN] = { "CONNECTIONS", "connections", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [HANDOFFS] = { "HAND-OFFS", "handoffs", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [MEMORY] = { "MEMORY", "memory_bytes", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [LAST] = { "LAST USED", "last_used", SCOLS_FL_RIGHT, SCOLS_JSON_STRING },
        [EXPIRES] = { "CERTIFICATE", "certificate_expires", 0, SCOLS_JSON_STRING },
        [TLS] = { "TLS", "tls", 0, SCOLS_JSON_STRING },
        [NEXT_TRY] = { "NEXT TRY", "certificate_next_try", 0, SCOLS_JSON_STRING },
        [ACME_ERROR] = { "ERROR", "certificate_error", 0, SCOLS_JSON_STRING },
        [HOSTS] = { "HOSTS", "hosts", 0, SCOLS_JSON_ARRAY_STRING },
};

static const OutputColor state_colors[FLEET_STATES] = {
        [FLEET_OFF] = COLOR_ERROR,    [FLEET_STARTING] = COLOR_WARNING,
        [FLEET_ACTIVE] = COLOR_GOOD,  [FLEET_STOPPING] = COLOR_WARNING,
        [FLEET_FAILED] = COLOR_ERROR, [FLEET_SUSPENDED] = COLOR_WARNING,
};

typedef struct Row {
        const FleetEntry *entry;
        const char *user; /* NULL: there is no such user, so the file is not in use */
        const Hosts *hosts;
        int certified; /* the result of fleet_certificate() */
        FleetCertificate certificate;
        bool is_acme;
        AcmeState acme; /* the state of its certificate, as far as it is known */
} Row;

typedef struct List {
        const Ctl *ctl;
        Output output;
        Fleet fleet;
        Hosts *hosts; /* one for each of fleet.config->instances */
        Row *rows;
        size_t n;
        unsigned states; /* the states of shown instances, a bit for each state */
        size_t sort;     /* the column by which rows are sorted */
        bool descends;
} List;

/* --- selection --- */

static bool list_take_states(List *list)
{
        Span rest = span_from_string(list->ctl->state ? list->ctl->state : ""), word;

        list->states = list->ctl->state ? 0 : ~0U;
        while (rest.size > 0) {
                size_t i = 0;

                if (!span_take_until(&rest, ',', &word))
                        (void)span_take(&rest, rest.size, &word);
                while (i < FLEET_STATES && !span_equals(word, fleet_state_names[i]))
                        i++;
                if (i == FLEET_STATES) {
                        output_error("There is no state '%.*s'. The names of states are: unknown, "
                                     "off, idle, starting, active, stopping, failed, suspended.",
                                     (int)word.size, (const char *)word.data);
                        return false;
                }
                list->states |= 1U << i;
        }
        return true;
}

static bool list_take_sort(List *list)
{
        const char *key = list->ctl->sort ? list->ctl->sort : columns[NAME].key;

        list->descends = *key == '-';
        key += list->descends;
        for (list->sort = 0; list->sort < COLUMNS; list->sort++)
                if (strcmp(key, columns[list->sort].key) == 0)
                        return true;
        output_error("--sort=%s is not a column. Columns are instance, user, state, connections, "
                     "handoffs, memory_bytes, last_used, certificate_expires, tls, "
                     "certificate_next_try, certificate_error and hosts.",
                     list->ctl->sort);
        return false;
}

/* Without a pattern, all rows match. */
static bool list_matches(const Row *row, char *const patterns[])
{
        for (size_t i = 0; patterns[i]; i++) {
                if (fnmatch(patterns[i], row->entry->name, 0) == 0)
                        return true;
                for (size_t j = 0; j < row->hosts->n_hosts; j++)
                        if (fnmatch(patterns[i], row->hosts->hosts[j], FNM_CASEFOLD) == 0)
                                return true;
        }
        return !patterns[0];
}

/* --- rows --- */

static int list_fill(List *list, char *const patterns[])
{
        static const Hosts none = { .n_hosts = 0 };
        const Config *config = list->fleet.config;

        list->hosts = hosts_new(config->map, config->n_instances);
        list->rows = calloc(list->fleet.n + 1, sizeof(*list->rows));
        if (!list->hosts || !list->rows)
                return -ENOMEM;
        for (size_t i = 0; i < list->fleet.n; i++) {
                const FleetEntry *entry = &list->fleet.entries[i];
                const Instance *instance = entry->instance;
                Row *row = &list->rows[list->n];

                *row = (Row){ .entry = entry, .hosts = &none };
                if (instance)
                        row->hosts = &list->hosts[instance - config->instances];
                if (!(list->states & 1U << fleet_shown_state(entry)) ||
                    !list_matches(row, patterns))
                        continue;
                if (instance || getpwnam(entry->name))
                        row->user = entry->name;
                row->is_acme = instance && instance->tls == TLS_ACME;
                if (row->is_acme)
                        (void)acme_state_read(list->ctl->acme_dir, entry->name, &row->acme);
                row->certified = fleet_certificate(list->ctl, &list->fleet, entry->name, row->hosts,
                                                   &row->certificate);
                list->n++;
        }
        return 0;
}

/* Returns the text of a cell, or NULL if the column has numbers or the value is unknown. */
static const char *list_text(const Row *row, size_t column)
{
        switch (column) {
        case NAME:
                return row->entry->name;
        case USER:
                return row->user;
        case STATE:
                return fleet_state_names[fleet_shown_state(row->entry)];
        case HOSTS:
                return row->hosts->n_hosts > 0 ? row->hosts->hosts[0] : NULL;
        case TLS:
                return row->entry->instance ? tls_source_names[row->entry->instance->tls] : NULL;
        case ACME_ERROR:
                return row->acme.error;
        default:
                return NULL;
        }
}

static uint64_t list_number(const Row *row, size_t column)
{
        switch (column) {
        case OPEN:
                return row->entry->n_open;
        case HANDOFFS:
                return row->entry->n_handoffs;
        case MEMORY:
                return row->entry->memory;
        case LAST:
                return row->entry->last_used > 0 ? row->entry->last_used : UNKNOWN;
        case EXPIRES:
                return row->certified == 0 ? (uint64_t)row->certificate.expires : UNKNOWN;
        case NEXT_TRY:
                return row->acme.next > 0 ? row->acme.next : UNKNOWN;
        default:
                return UNKNOWN;
        }
}

/* Unknown values come last in both directions of sorting. Rows with equal values are in the order
 * of their names. */
static int list_compare(const void *a, const void *b, void *userdata)
{
        const List *list = userdata;
        const int sign = list->descends ? -1 : 1;
        const char *text_a = list_text(a, list->sort), *text_b = list_text(b, list->sort);
        const uint64_t n_a = list_number(a, list->sort), n_b = list_number(b, list->sort);
        int r = 0;

        if (text_a && text_b)
                r = sign * strcmp(text_a, text_b);
        else if (text_a || text_b)
                r = text_a ? -1 : 1;
        else if (n_a != n_b)
                r = n_a == UNKNOWN ? 1 : n_b == UNKNOWN ? -1 : n_a < n_b ? -sign : sign;
        return r != 0 ? r : strcmp(((const Row *)a)->entry->name, ((const Row *)b)->entry->name);
}

/* --- output --- */

/* With Tls=acme, a certificate that expires soon needs no warning: bellhop-acme renews it in time,
 * unless its last try failed. */
static OutputColor list_color_expiry(const Row *row, time_t now)
{
        if (row->certificate.expires <= now)
                return COLOR_ERROR;
        if (row->is_acme)
                return row->acme.error || row->acme.n_failures_of_hosts > 0 ? COLOR_WARNING
                                                                            : COLOR_NONE;
        return row->certificate.expires - now < SOON ? COLOR_WARNING : COLOR_NONE;
}

static void list_set_expiry(Table *table, const Row *row, time_t now)
{
        const int r = row->certified;
        char text[SHOWN_MAX];

        if (table->output->json) {
                table_set(table, EXPIRES, r < 0 ? NULL : show_time(row->certificate.expires, text));
                return;
        }
        table_set(table, EXPIRES,
                  r == -ENOENT                                   ? "none"
                  : r == -EACCES || r == -EAGAIN || r == -ENOMEM ? "-"
                  : r < 0                                        ? "damaged"
                  : row->certificate.is_self_signed && row->certificate.expires > now
                          ? "self-signed"
                          : show_left(row->certificate.expires, now, text));
        if (r == 0)
                table_set_color(table, EXPIRES, list_color_expiry(row, now));
}

static void list_set_row(Table *table, const Row *row, time_t now)
{
        const FleetEntry *entry = row->entry;
        const FleetState state = fleet_shown_state(entry);
        const time_t last = (time_t)entry->last_used;
        const bool json = table->output->json;
        char text[SHOWN_MAX];

        table_add(table);
        table_set(table, NAME, entry->name);
        table_set(table, USER, row->user);
        if (!json || state != FLEET_UNKNOWN)
                table_set(table, STATE, fleet_state_names[state]);
        table_set_color(table, STATE, state_colors[state]);
        table_set_number(table, OPEN, entry->n_open, show_count);
        table_set_number(table, HANDOFFS, entry->n_handoffs, show_count);
        table_set_number(table, MEMORY, entry->memory, show_bytes);
        table_set(table, LAST,
                  !json      ? show_ago(last, now, text)
                  : last > 0 ? show_time(last, text)
                             : NULL);
        list_set_expiry(table, row, now);
        table_set(table, TLS, list_text(row, TLS));
        if (row->acme.next > 0)
                table_set(table, NEXT_TRY, show_time((time_t)row->acme.next, text));
        table_set(table, ACME_ERROR, row->acme.error);
        table_set_list(table, HOSTS, row->hosts->hosts, row->hosts->n_hosts);
}

static int list_print_table(const List *list)
{
        const time_t now = time(NULL);
        Column shown[COLUMNS];
        Table table;

        memcpy(shown, columns, sizeof(shown));
        if (!list->output.json) {
                /* This column is hidden from people, because it repeats the instance's name. If the
                 * user is missing, list_print_legend() counts a file with a mistake. */
                shown[USER].flags = SCOLS_FL_HIDDEN;
                for (size_t i = TLS; i <= ACME_ERROR; i++)
                        shown[i].flags = SCOLS_FL_HIDDEN;
                shown[HOSTS] = (Column){ "HOSTS", "hosts", 0, SCOLS_JSON_STRING };
        }
        table = table_new(&list->output, "instances", shown, COLUMNS);
        for (size_t i = 0; i < list->n; i++)
                list_set_row(&table, &list->rows[i], now);
        return table_print(&table);
}

static void list_print_legend(const List *list)
{
        const Fleet *fleet = &list->fleet;
        size_t in_state[FLEET_STATES] = { 0 };
        const char *separator = ":";

        for (size_t i = 0; i < list->n; i++)
                in_state[fleet_shown_state(list->rows[i].entry)]++;
        if (fleet->n == 0)
                output_print("There are no instances. 'bellhopctl add NAME --host HOST' adds one.");
        else if (list->n < fleet->n)
                output_print("\n%zu of %zu instances", list->n, fleet->n);
        else
                output_print("\n%zu instance%s", fleet->n, fleet->n == 1 ? "" : "s");
        for (size_t i = 0; i < FLEET_STATES; i++)
                if (in_state[i] > 0 && fleet->bus) {
                        output_print("%s %zu %s", separator, in_state[i], fleet_state_names[i]);
                        separator = ",";
                }
        output_print("\n");
        if (fleet->n_bad > 0)
                output_print("Files with a mistake, which are not in use: %zu. See 'bellhopctl "
                             "check'.\n",
                             fleet->n_bad);
        if (fleet->bus_error < 0)
                output_print("States are unknown: systemd does not answer: %s.\n",
                             strerror(-fleet->bus_error));
        else if (fleet->n_partly_unknown > 0)
                output_print("Figures of %zu instances are incomplete: systemd did not answer.\n",
                             fleet->n_partly_unknown);
        if (fleet->router_error < 0)
                output_print("Hand-offs are unknown: %s.\n",
                             metrics_fetch_explain(fleet->router_error));
}

static CtlStatus list_show(List *list, char *const patterns[])
{
        int r = list_fill(list, patterns);

        output_start(list->ctl, &list->output);
        if (r == 0 && list->n > 0)
                qsort_r(list->rows, list->n, sizeof(*list->rows), list_compare, list);
        if (r == 0 && (list->n > 0 || list->output.json))
                r = list_print_table(list);
        if (r == 0 && list->output.legend && !list->output.json)
                list_print_legend(list);
        return output_done(&list->output, r < 0 ? output_no_memory() : CTL_FINE);
}

CtlStatus verb_list(const Ctl *ctl, char *arguments[])
{
        List list = { .ctl = ctl };
        CtlStatus status;
        int r;

        if (!list_take_states(&list) || !list_take_sort(&list))
                return CTL_USAGE;
        r = fleet_load(ctl, NULL, FLEET_FOR_LIST, &list.fleet);
        if (r < 0)
                return output_bad_configuration(ctl, r);
        status = list_show(&list, arguments);
        for (size_t i = 0; i < list.n; i++)
                acme_state_done(&list.rows[i].acme);
        free(list.rows);
        hosts_free(list.hosts, list.fleet.config->n_instances);
        fleet_done(&list.fleet);
        return status;
}
