/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl export: what add was asked for, of all instances or of one, in the form that import
 * takes.
 */
#include "ctl/ask/fleet.h"
#include "ctl/ask/hosts.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

enum { NAME, HOSTS, ADDRESSES, DEFAULT, HTTP, NETWORK, IDLE, SUSPENDED, MEMORY, CPU, TASKS, DISK };

static const Column columns[] = {
        [NAME] = { "", "instance", 0, SCOLS_JSON_STRING },
        [HOSTS] = { "", "hosts", 0, SCOLS_JSON_ARRAY_STRING },
        [ADDRESSES] = { "", "addresses", 0, SCOLS_JSON_ARRAY_STRING },
        [DEFAULT] = { "", "default", 0, SCOLS_JSON_BOOLEAN },
        [HTTP] = { "", "http", 0, SCOLS_JSON_STRING },
        [NETWORK] = { "", "network", 0, SCOLS_JSON_BOOLEAN },
        [IDLE] = { "", "idle_seconds", 0, SCOLS_JSON_NUMBER },
        [SUSPENDED] = { "", "suspended", 0, SCOLS_JSON_BOOLEAN },
        [MEMORY] = { "", "memory_max_bytes", 0, SCOLS_JSON_NUMBER },
        [CPU] = { "", "cpu_max_percent", 0, SCOLS_JSON_NUMBER },
        [TASKS] = { "", "tasks_max", 0, SCOLS_JSON_NUMBER },
        [DISK] = { "", "disk_max_bytes", 0, SCOLS_JSON_NUMBER },
};

static void export_set_list(Table *table, size_t column, char *const texts[], size_t n)
{
        _cleanup_free_ char *lines = n > 0 ? texts_join(texts, n, "\n") : NULL;

        table_set(table, column, lines);
        table->failed = table->failed || (n > 0 && !lines);
}

static void export_add(Table *table, const Instance *instance, const Hosts *hosts)
{
        char idle[SHOWN_MAX];

        table_add(table);
        table_set(table, NAME, instance->name);
        export_set_list(table, HOSTS, hosts->hosts, hosts->n_hosts);
        export_set_list(table, ADDRESSES, hosts->addresses, hosts->n_addresses);
        table_set_bool(table, DEFAULT, instance->is_default);
        table_set(table, HTTP, http_policies[instance->http]);
        table_set_bool(table, NETWORK, instance->network);
        table_set(table, IDLE, show_usec(instance->idle_usec, idle));
        table_set_bool(table, SUSPENDED, instance->is_suspended);
}

/* What is missing is said: the output may be all that is kept of a machine. */
static CtlStatus export_say_missing(const Config *config, const char *only, size_t n)
{
        CtlStatus status = CTL_FINE;

        for (size_t i = 0; i < config->n_problems; i++) {
                const Problem *problem = &config->problems[i];

                if (!problem->instance || (only && strcmp(problem->instance, only) != 0))
                        continue;
                output_error("%s is left out: %s", problem->instance, problem->text);
                status = CTL_FAILED;
        }
        if (only && n == 0 && status == CTL_FINE) {
                output_error("There is no instance '%s'. 'bellhopctl list' shows all.", only);
                status = CTL_FAILED;
        }
        return status;
}

CtlStatus verb_export(const Ctl *ctl, char *arguments[])
{
        const char *only = arguments[0];
        Ctl json = *ctl;
        Config *config = NULL;
        Hosts *hosts = NULL;
        CtlStatus status = CTL_FINE;
        Output output;
        Table table;
        size_t n = 0;
        int r;

        json.json = true;
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &config);
        if (r < 0)
                return output_bad_configuration(ctl, r);
        output_start(&json, &output);
        table = table_new(&output, "instances", columns, ELEMENTSOF(columns));
        hosts = hosts_new(config->map, config->n_instances);
        for (size_t i = 0; hosts && i < config->n_instances; i++)
                if (!only || strcmp(config->instances[i].name, only) == 0) {
                        export_add(&table, &config->instances[i], &hosts[i]);
                        n++;
                }
        if (table_print(&table) < 0 || !hosts)
                status = output_no_memory();
        else
                status = export_say_missing(config, only, n);
        hosts_free(hosts, config->n_instances);
        config_free(config);
        return output_done(&output, status);
}
