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

/* What the link of an instance leads to; NULL: it has none. */
static const char *const targets[NETWORKS] = {
        [NETWORK_INTERNET] = BELLHOP_NETWORK_DIR "/internet.conf",
        [NETWORK_YES] = BELLHOP_NETWORK_DIR "/yes.conf",
};

static int units_remove(const char *folder, const char *path)
{
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        return rmdir(folder) < 0 && errno != ENOENT ? -errno : 0;
}

int units_write(const char *dir, const char *name, Network network)
{
        _cleanup_free_ char *folder = units_path(dir, name, "");
        _cleanup_free_ char *path = units_path(dir, name, DROP_IN);
        int r;

        if (!folder || !path)
                return -ENOMEM;
        if (!targets[network])
                return units_remove(folder, path);
        if (!units_differ(dir, name, network))
                return 0;
        r = units_make_folder(dir);
        if (r == 0)
                r = units_make_folder(folder);
        if (r == 0 && unlink(path) < 0 && errno != ENOENT)
                r = -errno;
        return r == 0 && symlink(targets[network], path) < 0 ? -errno : r;
}

bool units_differ(const char *dir, const char *name, Network network)
{
        _cleanup_free_ char *path = units_path(dir, name, DROP_IN);
        char target[PATH_MAX];
        const ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;

        if (n < 0)
                return !path || errno == EINVAL || targets[network];
        target[n] = 0;
        return !targets[network] || strcmp(target, targets[network]) != 0;
}

int units_write_wanted(const char *dir, const char *name, Network network)
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
