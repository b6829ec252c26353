/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl usage: shows the usage of instances by month.
 */
#include "ctl/ask/usage.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"

enum { NAME, MONTH, REQUESTS, SENT, RECEIVED, CPU, COMPLETE, REMOVED, COLUMNS };

static const Column columns[COLUMNS] = {
        [NAME] = { "INSTANCE", "instance", 0, SCOLS_JSON_STRING },
        [MONTH] = { "MONTH", "month", 0, SCOLS_JSON_STRING },
        [REQUESTS] = { "REQUESTS", "requests", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [SENT] = { "SENT", "bytes_sent", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [RECEIVED] = { "RECEIVED", "bytes_received", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [CPU] = { "CPU", "cpu_seconds", SCOLS_FL_RIGHT, SCOLS_JSON_NUMBER },
        [COMPLETE] = { "COMPLETE", "complete", 0, SCOLS_JSON_BOOLEAN },
        [REMOVED] = { "REMOVED", "removed", 0, SCOLS_JSON_STRING },
};

/* The name of a removed instance has the form "alice~20261129T131500Z". */
static void usage_set_name(Table *table, const char *name)
{
        const size_t length = strcspn(name, "~");
        struct tm tm = { .tm_year = 0 };
        char text[SHOWN_MAX];

        table_setf(table, NAME, "%.*s", (int)length, name);
        if (name[length] && strptime(name + length + 1, "%Y%m%dT%H%M%SZ", &tm))
                table_set(table, REMOVED, show_time(timegm(&tm), text));
}

static void usage_set_cpu(Table *table, uint64_t nsec)
{
        if (!table->output->json)
                table_set_number(table, CPU, nsec, show_nsec);
        else if (nsec != ACCOUNT_UNKNOWN)
                table_setf(table, CPU, "%.3f", (double)nsec / 1e9);
}

static int usage_print(const Output *output, const UsedList *list)
{
        Table table = table_new(output, "usage", columns, COLUMNS);

        for (size_t i = 0; i < list->n; i++) {
                const Used *used = &list->used[i];

                table_add(&table);
                usage_set_name(&table, used->account.name);
                table_set(&table, MONTH, used->month);
                table_set_number(&table, REQUESTS, used->account.requests, show_count);
                table_set_number(&table, SENT, used->account.sent, show_bytes);
                table_set_number(&table, RECEIVED, used->account.received, show_bytes);
                usage_set_cpu(&table, used->account.cpu_nsec);
                if (output->json)
                        table_set_bool(&table, COMPLETE, used->is_complete);
                else
                        table_set(&table, COMPLETE, used->is_complete ? "yes" : "no");
        }
        return table_print(&table);
}

static CtlStatus usage_show(const Ctl *ctl, const UsedList *list, const char *name)
{
        Output output;
        int r = 0;

        output_start(ctl, &output);
        if (list->n > 0 || output.json)
                r = usage_print(&output, list);
        else if (output.legend && name)
                output_print("No figures of '%s' exist. 'bellhopctl list' shows all instances.\n",
                             name);
        else if (output.legend)
                output_print("No figures exist yet.\n");
        return output_done(&output, r < 0 ? output_no_memory() : CTL_FINE);
}

CtlStatus verb_usage(const Ctl *ctl, char *arguments[])
{
        _cleanup_free_ char *path = NULL;
        const char *month = ctl->month;
        const time_t now = time(NULL);
        char this_month[MONTH_NAME_MAX];
        CtlStatus status;
        UsedList list;
        struct tm tm;
        int r;

        (void)strftime(this_month, sizeof(this_month), "%Y-%m", gmtime_r(&now, &tm));
        if (month && *month && !month_name_is_valid(month)) {
                output_error("'%s' is not a month. Write it as in --month=%s.", month, this_month);
                return CTL_USAGE;
        }
        r = used_list_load(ctl, month && !*month ? this_month : month, arguments[0], &list, &path);
        if (r < 0) {
                output_error(
                        "The figures in %s can't be read: %s. %s", path ? path : ctl->usage_dir,
                        strerror(-r),
                        r == -EACCES ? "Run the command as root."
                        : r == -ENOENT
                                ? "Run 'systemctl start bellhop-usage.service' to start counting."
                                : "See bellhop-usage(8).");
                return CTL_FAILED;
        }
        status = usage_show(ctl, &list, arguments[0]);
        if (status == CTL_FINE && !list.runs) {
                output_error("bellhop-usage is not running, so nothing is counted. Run: systemctl "
                             "start bellhop-usage.service");
                status = CTL_FAILED;
        }
        used_list_done(&list);
        return status;
}
