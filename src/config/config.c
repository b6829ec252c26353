/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "config/config.h"
#include "config/instance.h"
#include "util/cleanup.h"
#include "util/clock.h"

static Config *config_new(void)
{
        Config *config = calloc(1, sizeof(*config));

        if (!config)
                return NULL;
        config->router = router_settings_default;
        config->default_instance = ROUTE_NONE;
        config->map = hostmap_new();
        return config->map ? config : config_free(config);
}

Config *config_free(Config *config)
{
        if (!config)
                return NULL;
        for (size_t i = 0; i < config->n_instances; i++) {
                free(config->instances[i].name);
                free(config->instances[i].file);
                free(config->instances[i].canonical);
        }
        free(config->instances);
        problems_done(config);
        hostmap_free(config->map);
        free(config);
        return NULL;
}

DEFINE_CLEANUP(Config *, config_free);

int config_load(const char *dir, ConfigUsers check, const Config *old, Config **ret)
{
        _cleanup_(config_freep) Config *config = config_new();
        int r;

        if (!config)
                return -ENOMEM;
        /* The kernel takes the modification times of files from CLOCK_REALTIME_COARSE, so a file
         * that changes from now on never gets a time before begun_nsec. */
        config->begun_nsec = clock_nsec(CLOCK_REALTIME_COARSE);
        r = router_settings_load(config, dir);
        /* The router has several files, and old->router does not show which setting came from which
         * file. So after a mistake in any of these files, all old settings are kept. */
        if (r == 0 && old && config->n_problems > 0) {
                config->router = old->router;
                config->settings_kept = true;
        }
        if (r == 0)
                r = instances_load(config, dir, check, old);
        if (r == 0)
                *ret = take_ptr(config);
        return r;
}

int config_load_own(const char *dir, const char *name, Config **ret)
{
        _cleanup_(config_freep) Config *config = config_new();
        const int r = config ? instances_load_one(config, dir, name) : -ENOMEM;

        if (r == 0)
                *ret = take_ptr(config);
        return r;
}

int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance)
{
        _cleanup_(config_freep) Config *config = NULL;
        int r = config_load_own(dir, name, &config);

        /* Files of other instances matter to this instance only if it is the default, or has a
         * wildcard or an address. */
        if (r == 0 && config->n_instances > 0 &&
            (config->default_instance != ROUTE_NONE || !hostmap_is_exact(config->map))) {
                config_freep(&config);
                config = config_new();
                r = config ? instances_load(config, dir, CONFIG_USERS_CHECK, NULL) : -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret_instance = config_find_instance(config, name);
        *ret = take_ptr(config);
        return *ret_instance == ROUTE_NONE ? -ENOENT : 0;
}

int config_read_instance(const char *dir, const char *name, Instance *ret)
{
        _cleanup_(config_freep) Config *config = NULL;
        const int r = config_load_own(dir, name, &config);

        if (r < 0 || !config)
                return r;
        *ret = config->n_instances > 0 ? config->instances[0]
                                       : (Instance){ .idle_usec = INSTANCE_IDLE_USEC_DEFAULT };
        ret->name = ret->file = ret->canonical = NULL;
        return 0;
}

/* Sets takes_unknown and takes_others. */
static void config_mark_takers(Config *config)
{
        Instance *all = config->instances;

        for (size_t i = 0; i < config->n_instances; i++)
                all[i].takes_others = all[i].takes_unknown = all[i].is_default;
        for (size_t i = 0; i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);

                if (route.instance == ROUTE_NONE)
                        continue;
                if (route.is_address)
                        all[route.instance].takes_unknown = true;
                if (route.is_address || route.what[0] == '*')
                        all[route.instance].takes_others = true;
        }
}

void config_digest_others(Config *config, uint32_t without)
{
        Instance *all = config->instances;
        uint64_t unknown =
                0; /* digest of all hosts that would be unknown without their own route */

        config_mark_takers(config);
        for (size_t i = 0; i < config->n_instances; i++)
                all[i].others = 0;
        for (size_t i = 0; i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);
                HostMapMatch next;

                if (route.is_address || (route.instance == without && without != ROUTE_NONE))
                        continue;
                next = hostmap_find_next(config->map, i, without);
                if (next.route != ROUTE_NONE) {
                        if (next.instance != ROUTE_NONE)
                                all[next.instance].others += route.hash;
                        continue;
                }
                unknown += route.hash;
                if (route.instance != ROUTE_NONE && all[route.instance].takes_unknown)
                        all[route.instance].others -= route.hash;
        }
        for (size_t i = 0; i < config->n_instances; i++)
                if (all[i].takes_unknown)
                        all[i].others += unknown;
}

Origin config_origin(const Config *config, uint64_t origin)
{
        const size_t number = (origin & ~ORIGIN_WITHHELD) >> ORIGIN_LINE_BITS;

        if (origin & ORIGIN_WITHHELD) {
                assert(number < config->n_problems);
                return (Origin){ NULL, config->problems[number].file, (unsigned)origin };
        }
        assert(number < config->n_instances);
        return (Origin){ &config->instances[number], config->instances[number].file,
                         (unsigned)origin };
}

static int config_compare_name(const void *name, const void *instance)
{
        return strcmp(name, ((const Instance *)instance)->name);
}

uint32_t config_find_instance(const Config *config, const char *name)
{
        const Instance *all = config->instances, *found = NULL;

        if (config->n_instances > 0)
                found = bsearch(name, all, config->n_instances, sizeof(*all), config_compare_name);
        return found ? (uint32_t)(found - all) : ROUTE_NONE;
}
