/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl list: one line for each instance.
 */
#include <pwd.h>

#include "ctl/ask/fleet.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"

#define SOON (30 * 86400)

enum { NAME, USER, STATE, OPEN, HANDOFFS, MEMORY, LAST, EXPIRES, COLUMNS };

static const Column columns[COLUMNS] = {
        [NAME] = { "INSTANCE", "instance", 0, SCOLS_JSON_STRING },
        [USER] = { "USER", "user", 0, SCOLS_JSON_STRING },
        [STATE] = { "STATE", "state", 0, SCOLS_JSON_STRING },
        [OPEN] = { "CONNECTIONS", "connections", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [HANDOFFS] = { "HAND-OFFS", "handoffs", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [MEMORY] = { "MEMORY", "memory_bytes", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [LAST] = { "LAST USED", "last_used", SCOLS_FL_RIGHT, SCOLS_JSON_STRING },
        [EXPIRES] = { "CERTIFICATE", "certificate_expires", 0, SCOLS_JSON_STRING },
};

static const OutputColor state_colors[FLEET_STATES] = {
        [FLEET_OFF] = COLOR_ERROR,    [FLEET_STARTING] = COLOR_WARNING,
        [FLEET_ACTIVE] = COLOR_GOOD,  [FLEET_STOPPING] = COLOR_WARNING,
        [FLEET_FAILED] = COLOR_ERROR, [FLEET_SUSPENDED] = COLOR_WARNING,
};

static void list_set_expiry(const Ctl *ctl, const Fleet *fleet, Table *table, const char *name,
                            time_t now)
{
        time_t expires = 0;
        const int r = fleet_expiry(ctl, fleet, name, &expires);
        char text[SHOWN_MAX];

        if (ctl->json) {
                table_set(table, EXPIRES, r < 0 ? NULL : show_time(expires, text));
                return;
        }
        table_set(table, EXPIRES,
                  r == -ENOENT                                   ? "none"
                  : r == -EACCES || r == -EAGAIN || r == -ENOMEM ? "-"
                  : r < 0                                        ? "damaged"
                                                                 : show_left(expires, now, text));
        if (r == 0)
                table_set_color(table, EXPIRES,
                                expires <= now         ? COLOR_ERROR
                                : expires - now < SOON ? COLOR_WARNING
                                                       : COLOR_NONE);
}

static int list_print_table(const Ctl *ctl, const Output *output, const Fleet *fleet)
{
        Table table = table_new(output, "instances", columns, COLUMNS);
        const time_t now = time(NULL);

        for (size_t i = 0; i < fleet->n; i++) {
                const FleetEntry *entry = &fleet->entries[i];
                const FleetState state = fleet_shown_state(entry);
                const time_t last = (time_t)entry->last_used;
                char text[SHOWN_MAX];

                table_add(&table);
                table_set(&table, NAME, entry->name);
                /* Without a user, the file is not in use, which is said below. */
                if (entry->instance || getpwnam(entry->name))
                        table_set(&table, USER, entry->name);
                if (!ctl->json || state != FLEET_UNKNOWN)
                        table_set(&table, STATE, fleet_state_names[state]);
                table_set_color(&table, STATE, state_colors[state]);
                table_set_number(&table, OPEN, entry->n_open, show_count);
                table_set_number(&table, HANDOFFS, entry->n_handoffs, show_count);
                table_set_number(&table, MEMORY, entry->memory, show_bytes);
                table_set(&table, LAST,
                          !ctl->json ? show_ago(last, now, text)
                          : last > 0 ? show_time(last, text)
                                     : NULL);
                list_set_expiry(ctl, fleet, &table, entry->name, now);
        }
        return table_print(&table);
}

static void list_print_legend(const Fleet *fleet)
{
        size_t in_state[FLEET_STATES] = { 0 };
        const char *separator = ":";

        for (size_t i = 0; i < fleet->n; i++)
                in_state[fleet_shown_state(&fleet->entries[i])]++;
        if (fleet->n == 0)
                output_print("There are no instances. 'bellhopctl add NAME --host HOST' adds one.");
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
                output_print("States are not known: systemd does not answer: %s.\n",
                             strerror(-fleet->bus_error));
        else if (fleet->n_partly_unknown > 0)
                output_print("Not all figures are known: systemd has left questions about %zu of "
                             "them unanswered.\n",
                             fleet->n_partly_unknown);
        if (fleet->router_error < 0)
                output_print("Hand-offs are not known: %s.\n",
                             metrics_fetch_explain(fleet->router_error));
}

CtlStatus verb_list(const Ctl *ctl, char *arguments[])
{
        Output output;
        Fleet fleet;
        int r = fleet_load(ctl, NULL, FLEET_FOR_LIST, &fleet);

        if (r < 0)
                return output_bad_configuration(ctl, r);
        output_start(ctl, &output);
        r = fleet.n > 0 || output.json ? list_print_table(ctl, &output, &fleet) : 0;
        if (r == 0 && output.legend && !output.json)
                list_print_legend(&fleet);
        fleet_done(&fleet);
        return output_done(&output, r < 0 ? output_no_memory() : CTL_FINE);
}
