/* SPDX-License-Identifier: MIT */
/*
 * Owns the drop-in of bellhop@NAME.service. Used where a generator may write only; so it never asks
 * systemd anything.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/units.h"
#include "util/cleanup.h"

#define SYSTEMD_DIR "/run/systemd/system"

static int drop_in_path(const char *dir, const char *name, char **ret_folder, char **ret_path)
{
        _cleanup_free_ char *folder = NULL;

        if (asprintf(&folder, "%s/bellhop@%s.service.d", dir, name) < 0) {
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
static int open_network(const char *dir, const char *name)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        _cleanup_fclose_ FILE *file = NULL;
        int r;

        r = drop_in_path(dir, name, &folder, &path);
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

int units_remove(const char *dir, const char *name)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        int r;

        r = drop_in_path(dir, name, &folder, &path);
        if (r < 0)
                return r;
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        return rmdir(folder) < 0 && errno != ENOENT ? -errno : 0;
}

int units_write(const char *dir, const Instance *instance)
{
        return instance->network ? open_network(dir, instance->name)
                                 : units_remove(dir, instance->name);
}

bool units_differ(const char *dir, const Instance *instance)
{
        _cleanup_free_ char *folder = NULL, *path = NULL;
        const int r = drop_in_path(dir, instance->name, &folder, &path);

        return r < 0 || (access(path, F_OK) == 0) != instance->network;
}

int units_announce(void)
{
        /* systemd keeps a list of the files that there are, and renews it when a folder for units
         * has another time; those for generated units, which change at a daemon-reload only, it
         * leaves out of that, but they are read with the others. */
        return utimensat(AT_FDCWD, SYSTEMD_DIR, NULL, 0) < 0 ? -errno : 0;
}
