/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/names.h"
#include "config/units.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SYSTEMD_DIR "/run/systemd/system"
#define DROP_IN     "/50-network.conf"

/* file: "" for the folder of drop-ins. A string to be freed, or NULL without memory. */
static char *units_path(const char *dir, const char *name, const char *file)
{
        char unit[NAME_UNIT_MAX];

        return text_format("%s/%s%s", dir, name_unit(NAME_SERVICE_DROP_IN_DIR, name, unit), file);
}

static int units_make_folder(const char *path)
{
        return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Half of it would be taken for the whole. */
static int units_remove_half(const char *path, int error)
{
        (void)unlink(path);
        return error;
}

/* Lifts what the template sets for Network=no; it has the reasons. */
static int units_open_network(const char *path)
{
        _cleanup_fclose_ FILE *file = fopen(path, "we");

        if (!file)
                return -errno;
        fprintf(file, "# Made by bellhop-generator: Network=yes in the file of this instance.\n"
                      "[Service]\n"
                      "PrivateNetwork=no\n"
                      "RestrictAddressFamilies=AF_INET6 AF_NETLINK\n"
                      "IPAddressDeny=\n");
        return fflush(file) == 0 ? 0 : units_remove_half(path, -errno);
}

int units_write(const char *dir, const char *name, bool network)
{
        _cleanup_free_ char *folder = units_path(dir, name, "");
        _cleanup_free_ char *path = units_path(dir, name, DROP_IN);
        int r;

        if (!folder || !path)
                return -ENOMEM;
        if (network) {
                r = units_make_folder(dir);
                if (r == 0)
                        r = units_make_folder(folder);
                return r == 0 ? units_open_network(path) : r;
        }
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        return rmdir(folder) < 0 && errno != ENOENT ? -errno : 0;
}

bool units_differ(const char *dir, const char *name, bool network)
{
        _cleanup_free_ char *path = units_path(dir, name, DROP_IN);

        return !path || (access(path, F_OK) == 0) != network;
}

int units_write_wanted(const char *dir, const char *name, bool network)
{
        char unit[NAME_UNIT_MAX];
        _cleanup_free_ char *wants = text_format("%s/bellhop.target.wants", dir);
        _cleanup_free_ char *link = text_format("%s/bellhop.target.wants/%s", dir,
                                                name_unit(NAME_SOCKET_UNIT, name, unit));
        int r = wants && link ? units_make_folder(wants) : -ENOMEM;

        if (r == 0 && symlink(BELLHOP_UNIT_DIR "/bellhop@.socket", link) < 0 && errno != EEXIST)
                r = -errno;
        return r == 0 ? units_write(dir, name, network) : r;
}

int units_announce(void)
{
        /* systemd lists all unit files again when a folder of units has a new modification time,
         * but does not look at the folder of generators, which changes at a daemon-reload only. */
        return utimensat(AT_FDCWD, SYSTEMD_DIR, NULL, 0) < 0 ? -errno : 0;
}
