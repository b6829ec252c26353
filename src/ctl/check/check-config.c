/* SPDX-License-Identifier: MIT */
/* Checks the files and folders of the configuration. */
#include <dirent.h>

#include "config/mail-settings.h"
#include "config/names.h"
#include "config/settings.h"
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
                    "users other than root can write to it (mode %04o)", st.st_mode & 07777);
}

/* Whether a file is hidden, or a copy that an editor or dpkg(1) made. */
static bool config_is_copy(const char *name)
{
        static const char *const ends[] = { "~", ".swp", ".bak", ".dpkg-old", ".dpkg-dist" };
        bool is_copy = name[0] == '.' || name[0] == '#';

        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                is_copy = is_copy || text_ends_with(name, ends[i]);
        return is_copy;
}

void check_names(Check *check, const char *folder)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *file = text_format("%s/%s", folder, entry->d_name);

                if (!config_is_copy(entry->d_name) &&
                    !text_ends_with(entry->d_name, NAME_CONF_SUFFIX))
                        finding_add(&check->findings, FINDING_FILE_NOT_READ,
                                    (Place){ .file = file }, NULL,
                                    "its name does not end with .conf");
        }
        if (dir)
                (void)closedir(dir);
}

/* Whether this machine lacks the address. Returns false if the kernel lets any process bind any
 * address. */
static bool config_lacks_address(const Address *address)
{
        const bool v4 = IN6_IS_ADDR_V4MAPPED(&address->ip);
        struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_addr = address->ip };
        struct sockaddr_in ipv4 = { .sin_family = AF_INET };
        _cleanup_close_ int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        memcpy(&ipv4.sin_addr, &address->ip.s6_addr[12], sizeof(ipv4.sin_addr));
        return bind(fd, v4 ? (struct sockaddr *)&ipv4 : (struct sockaddr *)&ipv6,
                    v4 ? sizeof(ipv4) : sizeof(ipv6)) < 0 &&
               errno == EADDRNOTAVAIL;
}

static void config_check_addresses(Check *check)
{
        const Config *config = check->config;

        for (size_t i = 0; i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);
                Origin origin;
                Address address;

                if (!route.is_address || !address_parse(span_from_string(route.what), &address) ||
                    !config_lacks_address(&address))
                        continue;
                origin = config_origin(config, route.origin);
                finding_add(&check->findings, FINDING_ADDRESS_MISSING,
                            (Place){ origin.instance->name, origin.file, origin.line }, NULL,
                            "this machine does not have the address %s", route.what);
        }
}

/* Reports what instances with this Network= can reach although they should not, because this kernel
 * can't block it. A newer kernel can. */
static void config_check_fence(Check *check, FenceReach reach, Network network)
{
        const unsigned missing = fence_wanted(reach) & ~fence_offered();
        size_t n = 0;

        for (size_t i = 0; i < check->config->n_instances; i++)
                n += check->config->instances[i].network == network;
        for (unsigned i = 0; n > 0 && i < FENCE_PARTS; i++)
                if ((missing & 1U << i) && fence_gap(1U << i))
                        finding_add(&check->findings, FINDING_NETWORK_NOT_CLOSED, NOWHERE, NULL,
                                    "this kernel has a gap that concerns %zu instances with "
                                    "Network=%s: %s",
                                    n, network_names[network], fence_gap(1U << i));
}

/* Checks mail.conf, which config_load() does not read. */
static void config_check_mail(Check *check)
{
        Config problems = { .n_problems = 0 };
        MailSettings settings;

        (void)mail_settings_load(&problems, check->ctl->config_dir, &settings);
        for (size_t i = 0; i < problems.n_problems; i++)
                config_add_problem(check, &problems.problems[i]);
        problems_done(&problems);
}

void check_config(Check *check)
{
        static const char *const folders[] = { "", "/instances", "/router.conf.d", "/sites",
                                               "/tls" };
        const Config *config = check->config;

        for (size_t i = 0; i < config->n_problems; i++)
                config_add_problem(check, &config->problems[i]);
        config_check_mail(check);
        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                config_check_folder(check, folders[i]);
        for (size_t i = 1; i < 3; i++) {
                _cleanup_free_ char *path = text_format("%s%s", check->ctl->config_dir, folders[i]);

                if (path)
                        check_names(check, path);
        }
        config_check_addresses(check);
        for (size_t i = 0; i < config->n_instances; i++) {
                const Instance *instance = &config->instances[i];

                if (instance->idle_usec > 0 && instance->idle_usec < IDLE_LEAST_USEC)
                        finding_add(&check->findings, FINDING_IDLE_TOO_SHORT,
                                    (Place){ instance->name, instance->file, 0 }, NULL,
                                    "IdleSec= is less than 10 seconds");
        }
        config_check_fence(check, FENCE_NOWHERE, NETWORK_NO);
        config_check_fence(check, FENCE_INTERNET, NETWORK_INTERNET);
}
