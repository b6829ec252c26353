/* SPDX-License-Identifier: MIT */
#include "config/folder.h"
#include "config/instance.h"
#include "config/names.h"
#include "config/settings.h"
#include "config/users.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

/* The data of instances_load() while it reads all files. */
typedef struct Loading {
        Config *config;
        const char *dir;
        Users users;
        const Config *old; /* NULL: there was no earlier configuration */
        HostMap *withheld; /* routes of files with a mistake; their origin is as in Config.map */
} Loading;

static int instances_report_user(SettingsFile *file, UserVerdict verdict)
{
        const char *name = file->instance;

        file->lacks_user = verdict == USER_MISSING;
        if (file->lacks_user)
                return problem_add(
                        file, NULL,
                        "user %s does not exist, but an instance runs as the user of the same "
                        "name; create the user (useradd -m %s) or rename the file",
                        name, name);
        return problem_add(
                file, NULL, "user %s %s; rename the file", name,
                verdict == USER_IS_ROOT
                        ? "has uid 0, but an instance can't run as root"
                        : "is the router's user, but an instance needs a user of its own");
}

static int instances_add(Config *config, SettingsFile *file, InstanceDraft *draft)
{
        const uint32_t number = (uint32_t)config->n_instances;
        const Instance *other;
        HostMapRoute taken;
        uint64_t origin;
        Origin before;
        int r;

        if (draft->instance.is_default && config->default_instance != ROUTE_NONE) {
                other = &config->instances[config->default_instance];
                file->line = draft->instance.default_line;
                return problem_add(file, NULL,
                                   "Default=yes is in %s:%u already; only one instance may be the "
                                   "default",
                                   other->file, other->default_line);
        }
        r = hostmap_merge(config->map, draft->routes, number, (uint64_t)number << ORIGIN_LINE_BITS,
                          &taken, &origin);
        if (r == -EEXIST) {
                before = config_origin(config, origin);
                file->line = (unsigned)taken.origin;
                return problem_add(file, NULL,
                                   "%s already leads to %s (%s:%u); remove one of the two lines",
                                   taken.what, before.instance->name, before.file, before.line);
        }
        if (r == 0)
                r = array_append(config->instances, config->n_instances, draft->instance);
        if (r < 0)
                return r;
        draft->instance = (Instance){ .name = NULL };
        if (config->instances[number].is_default)
                config->default_instance = number;
        return 0;
}

/* If the old configuration has the instance, appends the instance with its old settings.
 * instances_keep_routes() adds its routes after all files are read. */
static int instances_keep(Loading *loading, const char *name)
{
        const Config *old = loading->old;
        const uint32_t before = old ? config_find_instance(old, name) : ROUTE_NONE;
        _cleanup_free_ char *name_copy = NULL, *file_copy = NULL, *canonical_copy = NULL;
        Config *config = loading->config;
        Instance instance;

        if (before == ROUTE_NONE)
                return 0;
        instance = old->instances[before];
        name_copy = instance.name = strdup(name);
        file_copy = instance.file = strdup(instance.file);
        if (instance.canonical)
                canonical_copy = instance.canonical = strdup(instance.canonical);
        instance.is_default = false;
        instance.is_kept = true;
        if (!name_copy || !file_copy || (old->instances[before].canonical && !canonical_copy) ||
            array_append(config->instances, config->n_instances, instance) < 0)
                return -ENOMEM;
        name_copy = file_copy = canonical_copy = NULL;
        config->n_kept++;
        return 0;
}

/* Withholds the hosts of a file with a mistake. Until the mistake is corrected, no other instance
 * may get these hosts through a wildcard. */
static int instances_withhold(Loading *loading, const InstanceDraft *draft, size_t problem)
{
        int r = 0;

        for (size_t i = 0; r == 0 && draft->routes && i < hostmap_size(draft->routes); i++) {
                const HostMapRoute route = hostmap_route(draft->routes, i);
                const uint64_t origin =
                        ORIGIN_WITHHELD | (uint64_t)problem << ORIGIN_LINE_BITS | route.origin;
                uint64_t other;

                if (!route.is_address)
                        r = hostmap_copy(loading->withheld, draft->routes, i, ROUTE_NONE, origin,
                                         &other);
                if (r == -EEXIST)
                        r = 0;
        }
        return r;
}

/* Handles a file with a mistake: keeps the instance as it was before the reload or, if that is not
 * possible, withholds the hosts of the file. problem: the number of the file's first problem. */
static int instances_leave_out(Loading *loading, const char *name, const InstanceDraft *draft,
                               size_t problem, bool may_keep)
{
        const size_t n = loading->config->n_kept;
        const int r = may_keep ? instances_keep(loading, name) : 0;

        return r < 0 || loading->config->n_kept > n ? r
                                                    : instances_withhold(loading, draft, problem);
}

static int instances_load_file(Loading *loading, const char *name)
{
        _cleanup_(instance_draft_done) InstanceDraft draft = { .routes = NULL };
        _cleanup_free_ char *path = name_path(NAME_INSTANCE_FILE, loading->dir, name), *text = NULL;
        SettingsFile file = { .path = path, .instance = name, .config = loading->config };
        const size_t first = loading->config->n_problems;
        bool may_keep = true;
        size_t size;
        int r;

        if (!path)
                return -ENOMEM;
        if (!instance_name_is_valid(name))
                return problem_add(
                        &file, NULL,
                        "'%s' is not a valid name of an instance; rename the file: letters, "
                        "digits, '-' and '_', at most 31, and no digit or '-' first",
                        name);
        r = settings_read_file(&file, &text, &size);
        if (r == 0 && text)
                r = instance_draft_parse(&draft, &file, name,
                                         (Span){ (const uint8_t *)text, size });
        if (r == 0 && text)
                r = instance_draft_check(&draft, &file);
        if (r == 0 && text && file.n_problems == 0) {
                r = users_check(&loading->users, name);
                /* If the user now has the uid of root or of the router, the old instance must not
                 * be kept. */
                may_keep = r == USER_FITS || r == USER_MISSING;
                r = r > 0 ? instances_report_user(&file, r) : r;
        }
        if (r == 0 && text && file.n_problems == 0)
                r = instances_add(loading->config, &file, &draft);
        return r == 0 && file.n_problems > 0
                       ? instances_leave_out(loading, name, &draft, first, may_keep)
                       : r;
}

static int instances_report_lost(Config *config, const Instance *instance, const char *what,
                                 uint64_t origin)
{
        SettingsFile file = { .path = instance->file,
                              .instance = instance->name,
                              .config = config };
        const Origin other = config_origin(config, origin);

        return problem_add(&file, NULL,
                           "%s now leads to %s (%s:%u); this instance keeps its other routes", what,
                           other.instance->name, other.file, other.line);
}

/* Returns the index of a kept instance in config->instances, or ROUTE_NONE if the instance was not
 * kept. before: its index in old->instances. */
static uint32_t instances_kept_as(const Config *config, const Config *old, uint32_t before)
{
        const uint32_t number = before == ROUTE_NONE
                                        ? ROUTE_NONE
                                        : config_find_instance(config, old->instances[before].name);

        return number != ROUTE_NONE && config->instances[number].is_kept ? number : ROUTE_NONE;
}

/* Adds the routes of kept instances, except routes that another instance has now. */
static int instances_keep_routes(Config *config, const Config *old)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < hostmap_size(old->map); i++) {
                const HostMapRoute route = hostmap_route(old->map, i);
                const uint64_t number = instances_kept_as(config, old, route.instance);
                uint64_t other;

                if (number == ROUTE_NONE)
                        continue;
                r = hostmap_copy(config->map, old->map, i, (uint32_t)number,
                                 number << ORIGIN_LINE_BITS | (uint32_t)route.origin, &other);
                if (r == -EEXIST)
                        r = instances_report_lost(config, &config->instances[number], route.what,
                                                  other);
        }
        if (r < 0 || config->default_instance != ROUTE_NONE || old->default_instance == ROUTE_NONE)
                return r;
        config->default_instance = instances_kept_as(config, old, old->default_instance);
        if (config->default_instance != ROUTE_NONE)
                config->instances[config->default_instance].is_default = true;
        return 0;
}

/* Adds the withheld routes that no other file has. */
static int instances_add_withheld(Config *config, const HostMap *withheld)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < hostmap_size(withheld); i++) {
                uint64_t other;

                r = hostmap_copy(config->map, withheld, i, ROUTE_NONE,
                                 hostmap_route(withheld, i).origin, &other);
                if (r == -EEXIST)
                        r = 0;
        }
        return r;
}

int instances_load(Config *config, const char *dir, ConfigUsers check, const Config *old)
{
        _cleanup_free_ char *path = text_format("%s/instances", dir);
        _cleanup_(folder_done) Folder folder = { .n = 0 };
        Loading loading = { config, dir, .old = old, .withheld = hostmap_new() };
        int r = path && loading.withheld ? folder_list(path, &folder) : -ENOMEM;

        if (r == 0)
                r = users_init(&loading.users, check == CONFIG_USERS_TRUST);
        for (int i = 0; r == 0 && i < folder.n; i++)
                r = instances_load_file(&loading, folder.entries[i]->d_name);
        users_done(&loading.users);
        if (r == 0 && config->n_kept > 0)
                r = instances_keep_routes(config, old);
        if (r == 0)
                r = instances_add_withheld(config, loading.withheld);
        hostmap_free(loading.withheld);
        return r;
}

int instances_load_one(Config *config, const char *dir, const char *name)
{
        /* loading.users stays empty, so users_check() looks up only this user. */
        Loading loading = { .config = config, .dir = dir, .withheld = hostmap_new() };
        const int r = loading.withheld ? instances_load_file(&loading, name) : -ENOMEM;

        hostmap_free(loading.withheld);
        return r;
}
