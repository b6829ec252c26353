/* SPDX-License-Identifier: MIT */
#include "ctl/change/others.h"
#include "config/names.h"
#include "ctl/ask/stale.h"
#include "util/cleanup.h"

/* Another instance whose server is running. stale_read_files_of() needs the server's pid to find
 * which files the server has read. */
typedef struct Other {
        const Instance *instance;
        char unit[NAME_UNIT_MAX];
        uint64_t pid;
        bool is_changing; /* systemd is starting or reloading it */
} Other;

static size_t others_find(const Units *units, const Config *config, uint32_t without, Other ret[])
{
        size_t n = 0;

        for (uint32_t i = 0; i < config->n_instances; i++) {
                const Instance *instance = &config->instances[i];

                if (i == without || !instance->takes_others)
                        continue;
                ret[n].instance = instance;
                (void)name_unit(NAME_SERVICE_UNIT, instance->name, ret[n].unit);
                ret[n].is_changing = !unit_is_active(units, ret[n].unit);
                if (unit_has_begun(units, ret[n].unit))
                        n++;
        }
        return n;
}

/* Gets the process id of each server. Returns a negative errno if one of them is unknown. */
static int others_ask(sd_bus *bus, Other others[], size_t n)
{
        _cleanup_free_ BusQuestion *questions = calloc(n + 1, sizeof(*questions));
        int r;

        if (!questions)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                questions[i] = (BusQuestion){ .interface = "Service",
                                              .property = "MainPID",
                                              .kind = PROPERTY_NUMBER,
                                              .ret = &others[i].pid };
                memcpy(questions[i].unit, others[i].unit, sizeof(others[i].unit));
        }
        r = bus_ask(bus, questions, n);
        for (size_t i = 0; r == 0 && i < n; i++)
                r = questions[i].error;
        return r;
}

static bool others_reload_stale(Change *change, const Other others[], size_t n,
                                char stale[][NAME_UNIT_MAX])
{
        size_t n_stale = 0;

        for (size_t i = 0; i < n; i++) {
                ReadFiles read;

                if (others[i].is_changing)
                        change_await_start(change->bus, others[i].unit);
                read = stale_read_files_of(others[i].pid);

                if (lacks_others(&read, others[i].instance) &&
                    change_step(change, "server",
                                "reload the server of %s, as hosts of other instances have changed",
                                others[i].instance->name))
                        memcpy(stale[n_stale++], others[i].unit, NAME_UNIT_MAX);
        }
        return change_units("try-reload-or-restart", stale, n_stale);
}

bool others_reload(Change *change, Config *config, uint32_t without)
{
        Other *others = calloc(config->n_instances + 1, sizeof(*others));
        char(*stale)[NAME_UNIT_MAX] = calloc(config->n_instances + 1, sizeof(*stale));
        int r = others && stale ? 0 : -ENOMEM;
        Units units = { .n = 0 };
        size_t n = 0;
        bool good;

        config_digest_others(config, without);
        if (r == 0)
                r = bus_list_units(change->bus, "bellhop@*.service", &units);
        if (r == 0) {
                n = others_find(&units, config, without, others);
                r = others_ask(change->bus, others, n);
        }
        good = others_reload_stale(change, others, n, stale);
        good = change_good("systemd does not answer", r) && good;
        units_done(&units);
        free(others);
        free(stale);
        return good;
}
