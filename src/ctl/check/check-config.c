/* SPDX-License-Identifier: MIT */
/*
 * Owns what can be known from the files of the configuration alone.
 */
#include <pwd.h>
#include <sys/stat.h>

#include "ctl/check/advice.h"
#include "ctl/check/check.h"
#include "ctl/show/text.h"
#include "fence/fence.h"
#include "util/cleanup.h"

/* Of the file as a whole: owner, mode, name, user. */
static char *cure_whole(const Problem *problem, const char *instance)
{
        _cleanup_free_ char *quoted = shell_quote(problem->file);
        struct stat st;

        if (!quoted)
                return NULL;
        if (stat(problem->file, &st) == 0 && S_ISREG(st.st_mode)) {
                if (st.st_uid != 0 && st.st_uid != geteuid())
                        return command("chown root %s", quoted);
                if (st.st_mode & (S_IWGRP | S_IWOTH))
                        return command("chmod go-w %s", quoted);
                if (instance && instance_name_is_valid(instance) && !getpwnam(instance))
                        return command("useradd --create-home %s", instance);
        }
        return cure_file(problem->file);
}

static bool leads_here(const char *line)
{
        line += strspn(line, " \t");
        return strncmp(line, "Host", 4) == 0 || strncmp(line, "Address", 7) == 0 ||
               strncmp(line, "Default", 7) == 0;
}

/* The text of the line, to be freed, and whether others lead to the instance. NULL: not there. */
static char *read_line(const char *path, unsigned number, bool *ret_rest_counts)
{
        _cleanup_fclose_ FILE *file = fopen(path, "re");
        _cleanup_free_ char *line = NULL;
        char *found = NULL;
        size_t size = 0;

        *ret_rest_counts = false;
        for (unsigned i = 1; file && getline(&line, &size, file) >= 0; i++) {
                line[strcspn(line, "\n")] = 0;
                if (i == number)
                        found = strdup(line);
                else
                        *ret_rest_counts |= leads_here(line);
        }
        return found;
}

char *cure_apply(const Check *check)
{
        const char *dir = check->ctl->config_dir;
        _cleanup_free_ char *quoted = shell_quote(dir);

        if (strcmp(dir, BELLHOP_CONFIG_DIR) == 0)
                return command("bellhopctl apply");
        return quoted ? command("bellhopctl apply --config=%s", quoted) : NULL;
}

char *cure_and_apply(const Check *check, const char *mend)
{
        _cleanup_free_ char *apply = cure_apply(check);

        return mend && apply ? command("%s && %s", mend, apply) : NULL;
}

static char *cure_problem(const Check *check, const Problem *problem, const char *instance)
{
        _cleanup_free_ char *line = NULL, *mend = NULL;
        bool rest_counts;

        if (problem->line > 0)
                line = read_line(problem->file, problem->line, &rest_counts);
        mend = line ? cure_line(problem, line, rest_counts) : cure_whole(problem, instance);
        return cure_and_apply(check, mend);
}

static void add_problem(Check *check, const Problem *problem)
{
        const Place place = { problem->instance, problem->file, problem->line };

        finding_add(&check->findings,
                    problem->instance ? FINDING_CONFIG_ERROR : FINDING_SETTINGS_ERROR, place,
                    cure_problem(check, problem, problem->instance), "%s", problem->what);
}

static void check_folder(Check *check, const char *name)
{
        _cleanup_free_ char *path = NULL, *quoted = NULL, *mend = NULL;
        struct stat st;

        if (asprintf(&path, "%s%s", check->ctl->config_dir, name) < 0) {
                path = NULL;
                return;
        }
        if (stat(path, &st) < 0 ||
            ((st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH))))
                return;
        quoted = shell_quote(path);
        mend = quoted ? command("chown root %s && chmod go-w %s", quoted, quoted) : NULL;
        finding_add(&check->findings, FINDING_FOLDER_WRITABLE, (Place){ .file = path },
                    cure_and_apply(check, mend), "others than root may write in it (mode %04o)",
                    st.st_mode & 07777);
}

static void check_idle(Check *check, const Instance *instance)
{
        _cleanup_free_ char *quoted = shell_quote(instance->file), *mend = NULL;

        if (instance->idle_usec == 0 || instance->idle_usec >= 10 * UINT64_C(1000000))
                return;
        if (quoted)
                mend = command("sed -i 's/^[ \\t]*IdleSec[ \\t]*=.*/IdleSec=10min/' %s", quoted);
        finding_add(&check->findings, FINDING_IDLE_TOO_SHORT,
                    (Place){ instance->name, instance->file, 0 }, cure_and_apply(check, mend),
                    "IdleSec= is less than 10 seconds");
}

/* On a newer kernel it would be closed. */
static void check_fence(Check *check)
{
        const unsigned missing = fence_wanted(false) & ~fence_offered();
        size_t n = 0;

        for (size_t i = 0; i < check->config->n_instances; i++)
                n += !check->config->instances[i].network;
        for (unsigned i = 0; n > 0 && i < FENCE_PARTS; i++)
                if ((missing & 1U << i) && fence_gap(1U << i))
                        finding_add(&check->findings, FINDING_NETWORK_NOT_CLOSED,
                                    (Place){ .line = 0 }, NULL,
                                    "this kernel leaves %zu instances with Network=no %s", n,
                                    fence_gap(1U << i));
}

void check_config(Check *check)
{
        static const char *const folders[] = { "", "/instances", "/router.conf.d" };
        const Config *config = check->config;

        for (size_t i = 0; i < config->n_problems; i++)
                add_problem(check, &config->problems[i]);
        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                check_folder(check, folders[i]);
        for (size_t i = 0; i < config->n_instances; i++)
                check_idle(check, &config->instances[i]);
        check_fence(check);
}
