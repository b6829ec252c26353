/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "config/instances.h"
#include "config/keep.h"
#include "config/settings.h"
#include "util/array.h"
#include "util/cleanup.h"

void keep_done(Keep *keep)
{
        free(keep->moves);
}

int keep_init(Keep *keep, const Config *old)
{
        *keep = (Keep){ .old = old };
        if (!old)
                return 0;
        keep->moves = calloc(old->n_instances + 1, sizeof(*keep->moves));
        if (!keep->moves)
                return -ENOMEM;
        for (size_t i = 0; i < old->n_instances; i++)
                keep->moves[i].instance = ROUTE_NONE;
        return 0;
}

int keep_instance(Config *config, const Keep *keep, const char *name)
{
        const uint32_t before = keep->old ? config_find_instance(keep->old, name) : ROUTE_NONE;
        const uint32_t number = (uint32_t)config->n_instances;
        _cleanup_free_ char *name_copy = NULL, *file_copy = NULL;
        Instance instance;
        int r;

        if (before == ROUTE_NONE)
                return 0;
        assert(keep->moves[before].instance == ROUTE_NONE);
        instance = keep->old->instances[before];
        name_copy = instance.name = strdup(name);
        file_copy = instance.file = strdup(instance.file);
        instance.is_default = false;
        if (!name_copy || !file_copy)
                return -ENOMEM;
        r = array_append(config->instances, config->n_instances, instance);
        if (r < 0)
                return r;
        name_copy = file_copy = NULL;
        keep->moves[before] = (HostMapMove){
                .instance = number,
                .origin_shift = ((uint64_t)number - before) << ORIGIN_LINE_BITS,
        };
        config->n_kept++;
        return 0;
}

static int keep_report_lost(Config *config, uint32_t number, const HostMapConflict *conflict)
{
        const Instance *instance = &config->instances[number];
        SettingsFile file = { .path = instance->file,
                              .instance = instance->name,
                              .config = config };
        unsigned line;
        const Instance *other = config_origin(config, conflict->other, &line);

        return problem_add(&file, PROBLEM_ROUTE_LOST,
                           "%s leads to %s (%s:%u) now; this instance keeps the rest",
                           conflict->what, other->name, other->file, line);
}

int keep_routes(Config *config, const Keep *keep)
{
        HostMapConflict conflict;
        uint32_t instance;
        size_t cursor = 0;
        int r = -EEXIST;

        if (!keep->old || config->n_kept == 0)
                return 0;
        while (r == -EEXIST) {
                r = hostmap_keep(config->map, keep->old->map, keep->moves, &cursor, &conflict,
                                 &instance);
                if (r == -EEXIST && keep_report_lost(config, instance, &conflict) < 0)
                        r = -ENOMEM;
        }
        if (r < 0 || config->default_instance != ROUTE_NONE ||
            keep->old->default_instance == ROUTE_NONE)
                return r;
        config->default_instance = keep->moves[keep->old->default_instance].instance;
        if (config->default_instance != ROUTE_NONE)
                config->instances[config->default_instance].is_default = true;
        return 0;
}
