/* SPDX-License-Identifier: MIT */
/*
 * Owns the drop-ins of bellhop@NAME.service and of bellhop-php@NAME.service, which has the same
 * sandbox. Used where a generator may write only; so it never asks
 * systemd anything.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/units.h"
#include "util/cleanup.h"

#define SYSTEMD_DIR "/run/systemd/system"

static const char *const templates[] = { "bellhop", "bellhop-php" };

static int drop_in_path(const char *dir, const char *template, const char *name, char **ret_folder,
                        char **ret_path)
{
        _cleanup_free_ char *folder = NULL;

        if (asprintf(&folder, "%s/%s@%s.service.d", dir, template, name) < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        if (asprintf(ret_path, "%s/50-network.conf", folder) < 0) {
                *ret_path = NULL;
                return -ENOMEM;
        }
        *ret_folder = take_ptr(folder);
        return 0;
}

/* Lifts what the template has for Network=no; the reasons stand there. */
static int open_network(const char *dir, const char *template, const char *name)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        int r;

        r = drop_in_path(dir, template, name, &folder, &path);
        if (r < 0)
                return r;
        if ((mkdir(dir, 0755) < 0 && errno != EEXIST) ||
            (mkdir(folder, 0755) < 0 && errno != EEXIST))
                return -errno;
        file = fopen(path, "we");
        if (!file)
                return -errno;
        fprintf(file, "# Made by bellhop-generator: Network=yes in the file of this instance.\n"
                      "[Service]\n"
                      "PrivateNetwork=no\n"
                      "RestrictAddressFamilies=AF_INET6 AF_NETLINK\n"
                      "IPAddressDeny=\n");
        return fflush(file) == 0 ? 0 : -errno;
}

static int remove_drop_in(const char *dir, const char *template, const char *name)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        int r;

        r = drop_in_path(dir, template, name, &folder, &path);
        if (r < 0)
                return r;
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        return rmdir(folder) < 0 && errno != ENOENT ? -errno : 0;
}

static int for_each_template(const char *dir, const char *name,
                             int (*apply)(const char *, const char *, const char *))
{
        for (size_t i = 0; i < ELEMENTSOF(templates); i++) {
                const int r = apply(dir, templates[i], name);

                if (r < 0)
                        return r;
        }
        return 0;
}

int units_remove(const char *dir, const char *name)
{
        return for_each_template(dir, name, remove_drop_in);
}

int units_write(const char *dir, const Instance *instance)
{
        return for_each_template(dir, instance->name,
                                 instance->network ? open_network : remove_drop_in);
}

/* 1: it is there. */
static int drop_in_exists(const char *dir, const char *template, const char *name)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        const int r = drop_in_path(dir, template, name, &folder, &path);

        return r < 0 ? r : access(path, F_OK) == 0;
}

bool units_differ(const char *dir, const Instance *instance)
{
        for (size_t i = 0; i < ELEMENTSOF(templates); i++)
                if (drop_in_exists(dir, templates[i], instance->name) != instance->network)
                        return true;
        return false;
}

int units_announce(void)
{
        /* systemd keeps a list of the files that there are, and renews it when a folder for units
         * has another time; those for generated units, which change at a daemon-reload only, it
         * leaves out of that, but they are read with the others. */
        return utimensat(AT_FDCWD, SYSTEMD_DIR, NULL, 0) < 0 ? -errno : 0;
}
