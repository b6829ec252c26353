/* SPDX-License-Identifier: MIT */
/* What the configuration's files and folders say by themselves. */
#include "ctl/check/check.h"
#include "fence/fence.h"
#include "util/cleanup.h"
#include "util/text.h"

#define IDLE_LEAST_USEC UINT64_C(10000000)

static void config_add_problem(Check *check, const Problem *problem)
{
        const Place place = { problem->instance, problem->file, problem->line };
        _cleanup_free_ char *advice = NULL;

        if (problem->lacks_user)
                advice = strdup("useradd --create-home {name} && " ADVICE_APPLY);
        else if (problem->meant)
                advice = text_format("Did you mean '%s'? Correct the line, then run '" ADVICE_APPLY
                                     "'.",
                                     problem->meant);
        finding_add(&check->findings,
                    problem->instance ? FINDING_CONFIG_ERROR : FINDING_SETTINGS_ERROR, place,
                    advice, "%s", problem->what);
}

static void config_check_folder(Check *check, const char *name)
{
        _cleanup_free_ char *path = text_format("%s%s", check->ctl->config_dir, name);
        struct stat st;

        if (!path || stat(path, &st) < 0 ||
            ((st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH))))
                return;
        finding_add(&check->findings, FINDING_FOLDER_WRITABLE, (Place){ .file = path }, NULL,
                    "others than root may write in it (mode %04o)", st.st_mode & 07777);
}

/* On a newer kernel it would be closed. */
static void config_check_fence(Check *check, size_t n)
{
        const unsigned missing = fence_wanted(false) & ~fence_offered();

        for (unsigned i = 0; n > 0 && i < FENCE_PARTS; i++)
                if ((missing & 1U << i) && fence_gap(1U << i))
                        finding_add(&check->findings, FINDING_NETWORK_NOT_CLOSED, NOWHERE, NULL,
                                    "this kernel leaves %zu instances with Network=no %s", n,
                                    fence_gap(1U << i));
}

void check_config(Check *check)
{
        static const char *const folders[] = { "", "/instances", "/router.conf.d", "/sites",
                                               "/tls" };
        const Config *config = check->config;
        size_t n_closed = 0;

        for (size_t i = 0; i < config->n_problems; i++)
                config_add_problem(check, &config->problems[i]);
        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                config_check_folder(check, folders[i]);
        for (size_t i = 0; i < config->n_instances; i++) {
                const Instance *instance = &config->instances[i];

                n_closed += !instance->network;
                if (instance->idle_usec > 0 && instance->idle_usec < IDLE_LEAST_USEC)
                        finding_add(&check->findings, FINDING_IDLE_TOO_SHORT,
                                    (Place){ instance->name, instance->file, 0 }, NULL,
                                    "IdleSec= is less than 10 seconds");
        }
        config_check_fence(check, n_closed);
}
