/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl list: one line for each instance.
 */
#include <inttypes.h>
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

static OutputColor color_of(SiteState state)
{
        switch (state) {
        case SITE_ACTIVE:
                return COLOR_GOOD;
        case SITE_FAILED:
        case SITE_OFF:
                return COLOR_ERROR;
        case SITE_STARTING:
        case SITE_STOPPING:
                return COLOR_WARNING;
        case SITE_UNKNOWN:
        case SITE_IDLE:
        case SITE_STATES:
                return COLOR_NONE;
        }
        return COLOR_NONE;
}

static int set_number(const Output *output, TableLine *line, size_t column, uint64_t n,
                      const char *(*show)(uint64_t, char *))
{
        char text[SHOWN_MAX];

        if (!output->json)
                return table_set(line, column, show(n, text));
        return n == UNKNOWN ? 0 : table_setf(line, column, "%" PRIu64, n);
}

static int set_expiry(const Ctl *ctl, const Fleet *fleet, const Output *output, TableLine *line,
                      const char *name, time_t now)
{
        time_t expires = 0;
        const int r = fleet_expiry(ctl, fleet, name, &expires);
        char text[SHOWN_MAX];
        int set;

        if (r == -ENOMEM)
                return r;
        if (output->json)
                return r < 0 ? 0 : table_set(line, EXPIRES, show_time(expires, text));
        if (r < 0)
                return table_set(line, EXPIRES,
                                 r == -ENOENT   ? "none"
                                 : r == -EACCES ? "-"
                                                : "damaged");
        set = table_set(line, EXPIRES, show_left(expires, now, text));
        return set < 0 ? set
                       : table_set_color(output, line, EXPIRES,
                                         expires <= now         ? COLOR_ERROR
                                         : expires - now < SOON ? COLOR_WARNING
                                                                : COLOR_NONE);
}

static int fill_line(const Ctl *ctl, const Fleet *fleet, const Output *output, TableLine *line,
                     const Member *member, time_t now)
{
        const time_t last = (time_t)member->last_used;
        char text[SHOWN_MAX];
        int r = table_set(line, NAME, member->name);

        /* Who has none is not in use, which is said below. */
        if (r == 0 && (member->instance || getpwnam(member->name)))
                r = table_set(line, USER, member->name);
        if (r == 0 && (!output->json || member->state != SITE_UNKNOWN))
                r = table_set(line, STATE, site_state_names[member->state]);
        if (r == 0)
                r = table_set_color(output, line, STATE, color_of(member->state));
        if (r == 0)
                r = set_number(output, line, OPEN, member->n_open, show_count);
        if (r == 0)
                r = set_number(output, line, HANDOFFS, member->n_handoffs, show_count);
        if (r == 0)
                r = set_number(output, line, MEMORY, member->memory, show_bytes);
        if (r == 0 && (!output->json || last > 0))
                r = table_set(line, LAST,
                              output->json ? show_time(last, text) : show_ago(last, now, text));
        return r == 0 ? set_expiry(ctl, fleet, output, line, member->name, now) : r;
}

static int print_table(const Ctl *ctl, const Output *output, const Fleet *fleet)
{
        Table *table = table_new(output, "instances", columns, COLUMNS);
        const time_t now = time(NULL);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < fleet->n; i++) {
                TableLine *line = table_add(table, NULL);

                r = line ? fill_line(ctl, fleet, output, line, &fleet->sites[i], now) : -ENOMEM;
        }
        if (r == 0)
                r = table_print(table);
        table_free(table);
        return r;
}

static void print_legend(const Fleet *fleet)
{
        size_t in_state[SITE_STATES] = { 0 };
        const char *separator = ":";

        for (size_t i = 0; i < fleet->n; i++)
                in_state[fleet->sites[i].state]++;
        if (fleet->n == 0)
                printf("There are no instances. 'bellhopctl add NAME --host HOST' adds one.");
        else
                printf("\n%zu instance%s", fleet->n, fleet->n == 1 ? "" : "s");
        for (size_t i = 0; i < SITE_STATES; i++)
                if (in_state[i] > 0 && fleet->bus) {
                        printf("%s %zu %s", separator, in_state[i], site_state_names[i]);
                        separator = ",";
                }
        printf("\n");
        if (fleet->n_bad > 0)
                printf("%zu of the files %s. 'bellhopctl check' says which.\n", fleet->n_bad,
                       fleet->n_bad == 1 ? "has a mistake and is not in use"
                                         : "have a mistake and are not in use");
        if (fleet->bus_error < 0)
                printf("States are not known: systemd does not answer: %s.\n",
                       strerror(-fleet->bus_error));
        if (fleet->router_error < 0)
                printf("Hand-offs are not known: %s.\n",
                       metrics_fetch_explain(fleet->router_error));
}

CtlStatus verb_list(const Ctl *ctl, char *arguments[])
{
        Output output;
        Fleet fleet;
        int r = fleet_load(ctl, NULL, &fleet);

        if (r < 0) {
                output_error("The configuration in %s can't be read: %s.", ctl->config_dir,
                             strerror(-r));
                return CTL_FAILED;
        }
        output_start(ctl, &output);
        r = fleet.n > 0 || output.json ? print_table(ctl, &output, &fleet) : 0;
        if (r == 0 && output.legend && !output.json)
                print_legend(&fleet);
        fleet_done(&fleet);
        return output_done(&output, r < 0 ? output_no_memory() : CTL_FINE);
}
