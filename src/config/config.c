/* SPDX-License-Identifier: MIT */
/*
 * Owns the configuration as a whole: finds the files, puts the instances beside each other, and
 * answers whose a host is. A bad instance file leaves out that instance and no other, or leaves it
 * as it was.
 */
#include <dirent.h>

#include "config/config.h"
#include "config/instance.h"
#include "config/settings.h"
#include "config/trusted.h"
#include "config/users.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define SUFFIX ".conf"

/* Below these the router could not take an ordinary browser's hello, above them the kernel's
 * receive window would not hold what we wait for. */
#define SNIFF_MAX_BYTES_LOW  UINT64_C(4096)
#define SNIFF_MAX_BYTES_HIGH UINT64_C(1048576)

/* Where a route comes from: which instance, and the line in its file. */
#define ORIGIN_LINE_BITS 32

#define IN_FLIGHT_MOST 65536
#define SECOND         UINT64_C(1000000)

const RouterSettings router_settings_default = {
        .sniff_timeout_usec = 10 * SECOND,
        .sniff_max_bytes = 64 * 1024,
        .handoff_timeout_usec = 30 * SECOND,
        .pending_max = 16384,
        .pending_max_per_instance = 1024,
        .pending_max_per_source = 256,
        .source_prefix_ipv4 = 32,
        .source_prefix_ipv6 = 64,
};

#define SETTING(key, parse, field)                                    \
        {                                                             \
                "Router", key, parse, offsetof(RouterSettings, field) \
        }

static const Setting router_settings[] = {
        SETTING("SniffTimeoutSec", setting_parse_timespan, sniff_timeout_usec),
        SETTING("SniffMaxBytes", setting_parse_size, sniff_max_bytes),
        SETTING("HandoffTimeoutSec", setting_parse_timespan, handoff_timeout_usec),
        SETTING("PendingMax", setting_parse_count, pending_max),
        SETTING("PendingMaxPerInstance", setting_parse_count, pending_max_per_instance),
        SETTING("InFlightMaxPerInstance", setting_parse_count, in_flight_max_per_instance),
        SETTING("PendingMaxPerSource", setting_parse_count, pending_max_per_source),
        SETTING("StartingMax", setting_parse_count, starting_max),
        SETTING("SourcePrefixIPv4", setting_parse_count, source_prefix_ipv4),
        SETTING("SourcePrefixIPv6", setting_parse_count, source_prefix_ipv6),
        SETTING("TrustedProxy", setting_parse_trusted_proxies, trusted_proxies),
};

static int router_settings_check(SettingsFile *file, const RouterSettings *settings)
{
        if (settings->sniff_timeout_usec == 0)
                return problem_add(file, PROBLEM_LIMITS, "SniffTimeoutSec= must be more than 0");
        if (settings->handoff_timeout_usec == 0)
                return problem_add(file, PROBLEM_LIMITS, "HandoffTimeoutSec= must be more than 0");
        if (settings->sniff_max_bytes < SNIFF_MAX_BYTES_LOW ||
            settings->sniff_max_bytes > SNIFF_MAX_BYTES_HIGH)
                return problem_add(file, PROBLEM_LIMITS, "SniffMaxBytes= must be from 4K to 1M");
        if (settings->pending_max == 0 || settings->pending_max_per_instance == 0)
                return problem_add(file, PROBLEM_LIMITS,
                                   "PendingMax= and PendingMaxPerInstance= must be more than 0");
        if (settings->in_flight_max_per_instance > IN_FLIGHT_MOST)
                return problem_add(file, PROBLEM_LIMITS,
                                   "InFlightMaxPerInstance= must be at most 65536");
        if (settings->source_prefix_ipv4 > 32 || settings->source_prefix_ipv6 > 128)
                return problem_add(file, PROBLEM_LIMITS,
                                   "SourcePrefixIPv4= must be at most 32 and "
                                   "SourcePrefixIPv6= at most 128");
        return 0;
}

/* A file with an error is left out as a whole: half of it may be the opposite of what was meant. */
static int load_router_file(Config *config, const char *path)
{
        SettingsFile file = { .path = path, .config = config };
        RouterSettings settings = config->router;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = settings_read_file(&file, &text, &size);

        if (r == -ENOENT)
                return 0;
        if (r < 0 || !text)
                return r;
        r = settings_parse(&file, (Span){ (const uint8_t *)text, size }, router_settings,
                           ELEMENTSOF(router_settings), &settings);
        if (r == 0 && file.n_problems == 0)
                r = router_settings_check(&file, &settings);
        if (r == 0 && file.n_problems == 0)
                config->router = settings;
        return r;
}

static int select_conf(const struct dirent *entry)
{
        const size_t length = strlen(entry->d_name);

        return entry->d_name[0] != '.' && length > strlen(SUFFIX) &&
               strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* Without the suffix, as "a.conf" would otherwise stand behind "a-b.conf". Not by locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
        const size_t size_a = strlen((*a)->d_name) - strlen(SUFFIX);
        const size_t size_b = strlen((*b)->d_name) - strlen(SUFFIX);
        const int r = memcmp((*a)->d_name, (*b)->d_name, size_a < size_b ? size_a : size_b);

        return r != 0 ? r : (size_a > size_b) - (size_a < size_b);
}

typedef struct Names {
        struct dirent **entries;
        int n;
} Names;

static void names_done(Names *names)
{
        for (int i = 0; i < names->n; i++)
                free(names->entries[i]);
        free(names->entries);
}

/* The names in a folder that end in .conf, in order. A folder that is not there has none. */
static int list_folder(const char *path, Names *ret)
{
        Names names = { .entries = NULL };

        names.n = scandir(path, &names.entries, select_conf, compare_names);
        if (names.n < 0 && errno != ENOENT)
                return -errno;
        if (names.n < 0)
                names = (Names){ .n = 0 };
        *ret = names;
        return 0;
}

static int load_router(Config *config, const char *dir)
{
        _cleanup_free_ char *path = NULL, *folder = NULL;
        _cleanup_(names_done) Names names = { .n = 0 };
        int r;

        if (asprintf(&path, "%s/router.conf", dir) < 0 ||
            asprintf(&folder, "%s/router.conf.d", dir) < 0)
                return -ENOMEM;
        r = load_router_file(config, path);
        if (r == 0)
                r = list_folder(folder, &names);
        for (int i = 0; r == 0 && i < names.n; i++) {
                _cleanup_free_ char *file = NULL;

                if (asprintf(&file, "%s/%s", folder, names.entries[i]->d_name) < 0)
                        return -ENOMEM;
                r = load_router_file(config, file);
        }
        return r;
}

/* *ret_keep: this alone is no reason to end what is in force. */
static int check_user(SettingsFile *file, const Users *users, const char *name, bool *ret_keep)
{
        UserVerdict verdict = USER_MISSING;
        const int r = users_check(users, name, &verdict);

        if (r < 0)
                return r;
        *ret_keep = verdict == USER_FITS || verdict == USER_MISSING;
        switch (verdict) {
        case USER_FITS:
                return 0;
        case USER_MISSING:
                return problem_add(file, PROBLEM_NO_USER,
                                   "there is no user %s, and an instance runs as the user of its "
                                   "name; create it (useradd -m %s) or rename the file",
                                   name, name);
        case USER_IS_ROOT:
                return problem_add(file, PROBLEM_USER,
                                   "user %s has uid 0, and no instance runs as root; rename the "
                                   "file",
                                   name);
        case USER_IS_ROUTER:
                return problem_add(file, PROBLEM_USER,
                                   "user %s is the router's, which may send to all instances; "
                                   "rename the file",
                                   name);
        }
        return 0;
}

/* Names both places. */
static int report_conflict(SettingsFile *file, const HostMapConflict *conflict)
{
        const Instance *other = &file->config->instances[conflict->other >> ORIGIN_LINE_BITS];
        int r;

        file->line = (unsigned)conflict->origin;
        file->word = span_from_string(conflict->what);
        r = problem_add(file, PROBLEM_CONFLICT,
                        "%s already leads to %s (%s:%u); remove it in one of the two",
                        conflict->what, other->name, other->file, (unsigned)conflict->other);
        file->word = (Span){ .size = 0 };
        return r;
}

static int report_second_default(SettingsFile *file, unsigned line)
{
        const Instance *other = &file->config->instances[file->config->default_instance];

        file->line = line;
        return problem_add(
                file, PROBLEM_SECOND_DEFAULT,
                "Default=yes stands in %s:%u already; only one instance may be the default",
                other->file, other->default_line);
}

static int append_instance(Config *config, const Instance *instance)
{
        Instance *instances =
                reallocarray(config->instances, config->n_instances + 1, sizeof(*instances));

        if (!instances)
                return -ENOMEM;
        config->instances = instances;
        instances[config->n_instances++] = *instance;
        return 0;
}

static int add_instance(Config *config, SettingsFile *file, InstanceDraft *draft)
{
        const uint32_t number = (uint32_t)config->n_instances;
        HostMapConflict conflict;
        int r;

        if (draft->instance.is_default && config->default_instance != ROUTE_NONE)
                return report_second_default(file, draft->instance.default_line);

        r = hostmap_merge(config->map, draft->routes, number, (uint64_t)number << ORIGIN_LINE_BITS,
                          &conflict);
        if (r == -EEXIST)
                return report_conflict(file, &conflict);
        if (r < 0)
                return r;

        r = append_instance(config, &draft->instance);
        if (r < 0)
                return r;
        draft->instance = (Instance){ .name = NULL };
        if (config->instances[number].is_default)
                config->default_instance = number;
        return 0;
}

/* Instances that stay as they were. */
typedef struct Keep {
        const Config *old;  /* NULL: there was nothing before */
        HostMapMove *moves; /* for each instance of old */
} Keep;

static void keep_done(Keep *keep)
{
        free(keep->moves);
}

static int keep_init(Keep *keep, const Config *old)
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

/* Takes its place in the order of names; its routes follow when those of all others are known. */
static int keep_instance(Config *config, const Keep *keep, const char *name)
{
        const uint32_t before = keep->old ? config_find_instance(keep->old, name) : ROUTE_NONE;
        const uint32_t number = (uint32_t)config->n_instances;
        _cleanup_free_ char *name_copy = NULL, *file_copy = NULL;
        Instance instance;
        int r;

        if (before == ROUTE_NONE)
                return 0;
        instance = keep->old->instances[before];
        name_copy = instance.name = strdup(name);
        file_copy = instance.file = strdup(instance.file);
        instance.is_default = false;
        if (!name_copy || !file_copy)
                return -ENOMEM;
        r = append_instance(config, &instance);
        if (r < 0)
                return r;
        (void)take_ptr(name_copy);
        (void)take_ptr(file_copy);
        keep->moves[before] = (HostMapMove){
                .instance = number,
                .origin_shift = ((uint64_t)number - before) << ORIGIN_LINE_BITS,
        };
        config->n_kept++;
        return 0;
}

static int report_taken(Config *config, uint32_t instance, const HostMapConflict *conflict)
{
        const Instance *other = &config->instances[conflict->other >> ORIGIN_LINE_BITS];
        SettingsFile file = { .path = config->instances[instance].file,
                              .instance = config->instances[instance].name,
                              .config = config };

        return problem_add(&file, PROBLEM_ROUTE_LOST,
                           "%s leads to %s (%s:%u) now; this instance keeps the rest",
                           conflict->what, other->name, other->file, (unsigned)conflict->other);
}

static int keep_routes(Config *config, const Keep *keep)
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
                if (r == -EEXIST && report_taken(config, instance, &conflict) < 0)
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

/* *ret_alone: no other file can change what leads to this instance. */
static int load_instance_file(Config *config, const char *dir, const char *name, const Users *users,
                              const Keep *keep, bool *ret_alone)
{
        _cleanup_(instance_draft_done) InstanceDraft draft = { .routes = NULL };
        _cleanup_free_ char *path = NULL, *text = NULL;
        SettingsFile file = { .instance = name, .config = config };
        bool may_keep = true;
        size_t size;
        int r;

        *ret_alone = false;
        if (asprintf(&path, "%s/instances/%s%s", dir, name, SUFFIX) < 0)
                return -ENOMEM;
        file.path = path;
        if (!instance_name_is_valid(name))
                return problem_add(
                        &file, PROBLEM_NAME,
                        "'%s' is no name for an instance; letters, digits, '-' and '_', at "
                        "most 31, no digit or '-' first; rename the file",
                        name);
        r = settings_read_file(&file, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r == 0 && text)
                r = instance_draft_parse(&draft, &file, name,
                                         (Span){ (const uint8_t *)text, size });
        if (r == 0 && file.n_problems == 0)
                r = check_user(&file, users, name, &may_keep);
        if (r == 0 && file.n_problems == 0) {
                *ret_alone = hostmap_is_exact(draft.routes) && !draft.instance.is_default;
                r = add_instance(config, &file, &draft);
        }
        return r == 0 && file.n_problems > 0 && may_keep ? keep_instance(config, keep, name) : r;
}

static int load_instances(Config *config, const char *dir, ConfigUsers check, const Config *old)
{
        _cleanup_(keep_done) Keep keep = { .old = NULL };
        _cleanup_free_ char *folder = NULL;
        _cleanup_(names_done) Names names = { .n = 0 };
        _cleanup_(users_done) Users users = { .n = 0 };
        int r;

        if (asprintf(&folder, "%s/instances", dir) < 0)
                return -ENOMEM;
        r = list_folder(folder, &names);
        if (r == 0)
                r = keep_init(&keep, old);
        if (r == 0)
                r = users_init(&users, check == CONFIG_USERS_TRUST);
        for (int i = 0; r == 0 && i < names.n; i++) {
                char *name = names.entries[i]->d_name;
                bool alone;

                name[strlen(name) - strlen(SUFFIX)] = 0;
                r = load_instance_file(config, dir, name, &users, &keep, &alone);
        }
        return r == 0 ? keep_routes(config, &keep) : r;
}

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
        /* The clock of files' times: what changes from now on is not older. */
        config->begun_nsec = clock_nsec(CLOCK_REALTIME_COARSE);
        r = load_router(config, dir);
        /* Which of the files a setting came from is not known, so all stay as they were. */
        if (r == 0 && old && config->n_problems > 0) {
                config->router = old->router;
                config->settings_kept = true;
        }
        if (r == 0)
                r = load_instances(config, dir, check, old);
        if (r < 0)
                return r;
        *ret = take_ptr(config);
        return 0;
}

int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance)
{
        const Users ask_by_name = { .n = 0 };
        const Keep nothing = { .old = NULL };
        _cleanup_(config_freep) Config *config = config_new();
        bool alone;
        int r;

        if (!config)
                return -ENOMEM;
        r = load_instance_file(config, dir, name, &ask_by_name, &nothing, &alone);
        if (r == 0 && config->n_instances > 0 && !alone) {
                config_freep(&config);
                config = config_new();
                r = config ? load_instances(config, dir, CONFIG_USERS_CHECK, NULL) : -ENOMEM;
        }
        if (r < 0)
                return r;
        *ret_instance = config_find_instance(config, name);
        r = *ret_instance == ROUTE_NONE ? -ENOENT : 0;
        *ret = take_ptr(config);
        return r;
}

int config_read_network(const char *dir, const char *name, bool *ret)
{
        const Users ask_by_name = { .n = 0 };
        const Keep nothing = { .old = NULL };
        _cleanup_(config_freep) Config *config = config_new();
        bool alone;
        int r;

        if (!config)
                return -ENOMEM;
        r = load_instance_file(config, dir, name, &ask_by_name, &nothing, &alone);
        if (r < 0)
                return r;
        *ret = config->n_instances > 0 && config->instances[0].network;
        return 0;
}

RouteKind config_route(const Config *config, const Hostname *host, uint32_t *ret_instance)
{
        const uint32_t found = host ? hostmap_find_host(config->map, host) : ROUTE_NONE;

        if (found == ROUTE_NONE && config->default_instance == ROUTE_NONE)
                return ROUTE_UNKNOWN;
        *ret_instance = found != ROUTE_NONE ? found : config->default_instance;
        return found != ROUTE_NONE ? ROUTE_BY_HOST : ROUTE_BY_DEFAULT;
}

const Instance *config_origin(const Config *config, uint64_t origin, unsigned *ret_line)
{
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
