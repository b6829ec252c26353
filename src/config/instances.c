/* SPDX-License-Identifier: MIT */
#include "config/instances.h"
#include "config/folder.h"
#include "config/instance.h"
#include "config/keep.h"
#include "config/names.h"
#include "config/settings.h"
#include "config/users.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

/* *ret_keep: this alone is no reason to end what is in force. */
static int instances_check_user(SettingsFile *file, const Users *users, const char *name,
                                bool *ret_keep)
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
                                   "user %s does not exist, and an instance runs as the user of "
                                   "its name; create it (useradd -m %s) or rename the file",
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
static int instances_report_conflict(SettingsFile *file, const HostMapConflict *conflict)
{
        unsigned line;
        const Instance *other = config_origin(file->config, conflict->other, &line);
        int r;

        file->line = (unsigned)conflict->origin;
        file->word = span_from_string(conflict->what);
        r = problem_add(file, PROBLEM_CONFLICT,
                        "%s already leads to %s (%s:%u); remove it in one of the two",
                        conflict->what, other->name, other->file, line);
        file->word = (Span){ .size = 0 };
        return r;
}

static int instances_report_second_default(SettingsFile *file, unsigned line)
{
        const Instance *other = &file->config->instances[file->config->default_instance];

        file->line = line;
        return problem_add(file, PROBLEM_SECOND_DEFAULT,
                           "Default=yes is in %s:%u already; only one instance may be the default",
                           other->file, other->default_line);
}

static int instances_add(Config *config, SettingsFile *file, InstanceDraft *draft)
{
        const uint32_t number = (uint32_t)config->n_instances;
        HostMapConflict conflict;
        int r;

        if (draft->instance.is_default && config->default_instance != ROUTE_NONE)
                return instances_report_second_default(file, draft->instance.default_line);

        r = hostmap_merge(config->map, draft->routes, number, (uint64_t)number << ORIGIN_LINE_BITS,
                          &conflict);
        if (r == -EEXIST)
                return instances_report_conflict(file, &conflict);
        if (r < 0)
                return r;

        r = array_append(config->instances, config->n_instances, draft->instance);
        if (r < 0)
                return r;
        draft->instance = (Instance){ .name = NULL };
        if (config->instances[number].is_default)
                config->default_instance = number;
        return 0;
}

/* *ret_alone: no other file can change what leads to this instance. */
static int instances_load_file(Config *config, const char *dir, const char *name,
                               const Users *users, const Keep *keep, bool *ret_alone)
{
        _cleanup_(instance_draft_done) InstanceDraft draft = { .routes = NULL };
        _cleanup_free_ char *path = NULL, *text = NULL;
        SettingsFile file = { .instance = name, .config = config };
        bool may_keep = true;
        size_t size;
        int r;

        *ret_alone = false;
        path = name_path(NAME_INSTANCE_FILE, dir, name);
        if (!path)
                return -ENOMEM;
        file.path = path;
        if (!instance_name_is_valid(name))
                return problem_add(
                        &file, PROBLEM_NAME,
                        "'%s' is not a name for an instance; letters, digits, '-' and '_', at "
                        "most 31, no digit or '-' first; rename the file",
                        name);
        r = settings_read_file(&file, &text, &size);
        if (r == -ENOENT)
                return 0;
        if (r == 0 && text)
                r = instance_draft_parse(&draft, &file, name,
                                         (Span){ (const uint8_t *)text, size });
        if (r == 0 && file.n_problems == 0)
                r = instances_check_user(&file, users, name, &may_keep);
        if (r == 0 && file.n_problems == 0) {
                *ret_alone = hostmap_is_exact(draft.routes) && !draft.instance.is_default;
                r = instances_add(config, &file, &draft);
        }
        return r == 0 && file.n_problems > 0 && may_keep ? keep_instance(config, keep, name) : r;
}

int instances_load(Config *config, const char *dir, ConfigUsers check, const Config *old)
{
        _cleanup_(keep_done) Keep keep = { .old = NULL };
        _cleanup_free_ char *path = text_format("%s/instances", dir);
        _cleanup_(folder_done) Folder folder = { .n = 0 };
        _cleanup_(users_done) Users users = { .n = 0 };
        int r;

        if (!path)
                return -ENOMEM;
        r = folder_list(path, &folder);
        if (r == 0)
                r = keep_init(&keep, old);
        if (r == 0)
                r = users_init(&users, check == CONFIG_USERS_TRUST);
        for (int i = 0; r == 0 && i < folder.n; i++) {
                bool alone;

                r = instances_load_file(config, dir, folder.entries[i]->d_name, &users, &keep,
                                        &alone);
        }
        return r == 0 ? keep_routes(config, &keep) : r;
}

int instances_load_one(Config *config, const char *dir, const char *name, bool *ret_alone)
{
        const Users ask_by_name = { .n = 0 };
        const Keep nothing = { .old = NULL };

        return instances_load_file(config, dir, name, &ask_by_name, &nothing, ret_alone);
}
