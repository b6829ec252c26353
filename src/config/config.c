/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "config/config.h"
#include "config/instances.h"
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
        }
        free(config->instances);
        problems_free(config->problems, config->n_problems);
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
        /* Times of files are of this clock: what changes from now on is not older. */
        config->begun_nsec = clock_nsec(CLOCK_REALTIME_COARSE);
        r = router_settings_load(config, dir);
        /* Which of the files a setting came from is not known, so all stay as they were. */
        if (r == 0 && old && config->n_problems > 0) {
                config->router = old->router;
                config->settings_kept = true;
        }
        if (r == 0)
                r = instances_load(config, dir, check, old);
        if (r < 0)
                return r;
        *ret = take_ptr(config);
        return 0;
}

int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance)
{
        _cleanup_(config_freep) Config *config = config_new();
        bool alone;
        int r;

        if (!config)
                return -ENOMEM;
        r = instances_load_one(config, dir, name, &alone);
        if (r == 0 && config->n_instances > 0 && !alone) {
                config_freep(&config);
                config = config_new();
                r = config ? instances_load(config, dir, CONFIG_USERS_CHECK, NULL) : -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret_instance = config_find_instance(config, name);
        r = *ret_instance == ROUTE_NONE ? -ENOENT : 0;
        *ret = take_ptr(config);
        return r;
}

int config_read_instance(const char *dir, const char *name, InstanceSettings *ret)
{
        _cleanup_(config_freep) Config *config = config_new();
        bool alone;
        const int r = config ? instances_load_one(config, dir, name, &alone) : -ENOMEM;

        if (r < 0)
                return r;
        *ret = (InstanceSettings){ .idle_usec = INSTANCE_IDLE_USEC_DEFAULT };
        if (config->n_instances > 0)
                *ret = (InstanceSettings){ .network = config->instances[0].network,
                                           .idle_usec = config->instances[0].idle_usec };
        return 0;
}

const Instance *config_origin(const Config *config, uint64_t origin, unsigned *ret_line)
{
        assert(origin >> ORIGIN_LINE_BITS < config->n_instances);
        *ret_line = (unsigned)origin;
        return &config->instances[origin >> ORIGIN_LINE_BITS];
}

uint32_t config_find_instance(const Config *config, const char *name)
{
        size_t low = 0, high = config->n_instances;

        while (low < high) {
                const size_t middle = low + (high - low) / 2;
                const int r = strcmp(config->instances[middle].name, name);

                if (r == 0)
                        return (uint32_t)middle;
                if (r < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return ROUTE_NONE;
}
