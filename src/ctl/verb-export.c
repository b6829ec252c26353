/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl export: prints the settings of all instances or of one, in the form that import reads.
 */
#include "ctl/ask/hosts.h"
#include "ctl/ask/limits.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

enum {
        NAME,
        HOSTS,
        ADDRESSES,
        DEFAULT,
        HTTP,
        NETWORK,
        SERVER,
        IDLE,
        SUSPENDED,
        CANONICAL,
        TLS,
        ACME,
        MAIL_HOUR,
        MAIL_DAY,
        MAIL_RECIPIENTS,
        MEMORY,
        CPU,
        TASKS,
        DISK
};

static const Column columns[] = {
        [NAME] = { "", "instance", 0, SCOLS_JSON_STRING },
        [HOSTS] = { "", "hosts", 0, SCOLS_JSON_ARRAY_STRING },
        [ADDRESSES] = { "", "addresses", 0, SCOLS_JSON_ARRAY_STRING },
        [DEFAULT] = { "", "default", 0, SCOLS_JSON_BOOLEAN },
        [HTTP] = { "", "http", 0, SCOLS_JSON_STRING },
        [NETWORK] = { "", "network", 0, SCOLS_JSON_STRING },
        [SERVER] = { "", "server", 0, SCOLS_JSON_STRING },
        [IDLE] = { "", "idle_seconds", 0, SCOLS_JSON_NUMBER },
        [SUSPENDED] = { "", "suspended", 0, SCOLS_JSON_BOOLEAN },
        [CANONICAL] = { "", "canonical", 0, SCOLS_JSON_STRING },
        [TLS] = { "", "tls", 0, SCOLS_JSON_STRING },
        [ACME] = { "", "acme", 0, SCOLS_JSON_STRING },
        [MAIL_HOUR] = { "", "mail_per_hour", 0, SCOLS_JSON_NUMBER },
        [MAIL_DAY] = { "", "mail_per_day", 0, SCOLS_JSON_NUMBER },
        [MAIL_RECIPIENTS] = { "", "mail_recipients_per_day", 0, SCOLS_JSON_NUMBER },
        [MEMORY] = { "", "memory_max_bytes", 0, SCOLS_JSON_NUMBER },
        [CPU] = { "", "cpu_max_percent", 0, SCOLS_JSON_NUMBER },
        [TASKS] = { "", "tasks_max", 0, SCOLS_JSON_NUMBER },
        [DISK] = { "", "disk_max_bytes", 0, SCOLS_JSON_NUMBER },
};

static void export_set_limits(Table *table, const Limits *of)
{
        char text[SHOWN_MAX];

        for (LimitKind kind = 0; kind < LIMITS; kind++)
                if (of->is_own[kind] && of->max[kind] != UNKNOWN)
                        table_set(table, MEMORY + kind,
                                  kind == LIMIT_CPU ? show_percent(of->max[kind], text)
                                                    : show_count(of->max[kind], text));
}

/* Sets the cell of a mail limit. If count is UINT64_MAX, the instance has no limit of its own, so
 * the limit in mail.conf applies, and the cell remains empty. */
static void export_set_count(Table *table, size_t column, uint64_t count)
{
        char text[SHOWN_MAX];

        if (count != UINT64_MAX)
                table_set(table, column, show_count(count, text));
}

static void export_add(Table *table, const Instance *instance, const Hosts *hosts)
{
        char idle[SHOWN_MAX];

        table_add(table);
        table_set(table, NAME, instance->name);
        table_set_list(table, HOSTS, hosts->hosts, hosts->n_hosts);
        table_set_list(table, ADDRESSES, hosts->addresses, hosts->n_addresses);
        table_set_bool(table, DEFAULT, instance->is_default);
        table_set(table, HTTP, http_policies[instance->http]);
        table_set(table, NETWORK, network_names[instance->network]);
        table_set(table, SERVER, server_names[instance->server]);
        table_set(table, IDLE, show_usec(instance->idle_usec, idle));
        table_set_bool(table, SUSPENDED, instance->is_suspended);
        table_set(table, CANONICAL, instance->canonical);
        table_set(table, TLS, tls_source_names[instance->tls]);
        table_set(table, ACME, instance->acme);
        export_set_count(table, MAIL_HOUR, instance->mail.per_hour);
        export_set_count(table, MAIL_DAY, instance->mail.per_day);
        export_set_count(table, MAIL_RECIPIENTS, instance->mail.recipients_per_day);
}

/* Reports instances that the output lacks. This is an error, because the output may be the only
 * backup of a machine. */
static CtlStatus export_say_missing(const Config *config, const char *only, size_t n)
{
        CtlStatus status = CTL_FINE;

        for (size_t i = 0; i < config->n_problems; i++) {
                const Problem *problem = &config->problems[i];

                if (!problem->instance || (only && strcmp(problem->instance, only) != 0))
                        continue;
                output_error("%s is left out of the export: %s", problem->instance, problem->text);
                status = CTL_FAILED;
        }
        if (only && n == 0 && status == CTL_FINE) {
                output_error("There is no instance '%s'. 'bellhopctl list' shows all instances.",
                             only);
                status = CTL_FAILED;
        }
        return status;
}

/* Returns 0, or a negative errno that says why some limits are unknown. */
static int export_print(const Output *output, const Config *config, const char *only, size_t *ret_n)
{
        Table table = table_new(output, "instances", columns, ELEMENTSOF(columns));
        const char **names = calloc(config->n_instances + 1, sizeof(*names));
        Limits *of = calloc(config->n_instances + 1, sizeof(*of));
        Hosts *hosts = hosts_new(config->map, config->n_instances);
        sd_bus *bus = NULL;
        const int bus_error = sd_bus_open_system(&bus);
        int r = names && of && hosts ? 0 : -ENOMEM, unknown = 0;
        size_t n = 0;

        for (size_t i = 0; r == 0 && i < config->n_instances; i++)
                if (!only || strcmp(config->instances[i].name, only) == 0)
                        names[n++] = config->instances[i].name;
        if (r == 0)
                r = limits_ask(bus, bus_error, names, n, of);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const uint32_t at = config_find_instance(config, names[i]);

                export_add(&table, &config->instances[at], &hosts[at]);
                export_set_limits(&table, &of[i]);
                for (LimitKind kind = 0; unknown == 0 && kind < LIMITS; kind++)
                        unknown = of[i].error[kind];
        }
        if (table_print(&table) < 0)
                r = -ENOMEM;
        sd_bus_flush_close_unref(bus);
        free(names);
        free(of);
        if (hosts)
                hosts_free(hosts, config->n_instances);
        *ret_n = n;
        return r == 0 ? unknown : r;
}

CtlStatus verb_export(const Ctl *ctl, char *arguments[])
{
        const char *only = arguments[0];
        Ctl json = *ctl;
        Config *config = NULL;
        CtlStatus status = CTL_FINE;
        Output output;
        size_t n;
        int r;

        json.json = true;
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &config);
        if (r < 0)
                return output_bad_configuration(ctl, r);
        output_start(&json, &output);
        r = export_print(&output, config, only, &n);
        status = r == -ENOMEM ? output_no_memory() : export_say_missing(config, only, n);
        if (r < 0 && r != -ENOMEM) {
                output_error("Not all limits are known; unknown limits are null: %s.",
                             strerror(-r));
                status = CTL_FAILED;
        }
        config_free(config);
        return output_done(&output, status);
}
