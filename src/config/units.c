/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/names.h"
#include "config/units.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SYSTEMD_DIR "/run/systemd/system"
#define DROP_IN     "/50-network.conf"
#define SENDMAIL    "/50-sendmail.conf"

/* Returns the path of the instance's folder of drop-ins, with file appended. file: a slash and the
 * name of a drop-in, or "". The caller frees the path. Returns NULL if memory runs out. */
static char *units_path(const char *dir, const char *name, const char *file)
{
        char unit[NAME_UNIT_MAX];

        return text_format("%s/%s%s", dir, name_unit(NAME_SERVICE_DROP_IN_DIR, name, unit), file);
}

static int units_make_folder(const char *path)
{
        return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* An instance's drop-in is a link to one of these files. NULL: the instance needs no drop-in. */
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

/* Whether sbin/sendmail is a file in sbin, or a link to a file in sbin. If it is a link to a file
 * in another folder, systemd would follow the link and mount our sendmail over that file, which
 * instances may need. */
static bool units_has_sendmail(const char *sbin)
{
        _cleanup_free_ char *path = text_format("%s/sendmail", sbin);
        _cleanup_free_ char *file = path ? realpath(path, NULL) : NULL;
        _cleanup_free_ char *folder = realpath(sbin, NULL);
        const size_t length = folder ? strlen(folder) : 0;

        return file && folder && strncmp(file, folder, length) == 0 && file[length] == '/';
}

/* Makes a link, or replaces it if it exists. */
static int units_link(const char *folder, const char *name, const char *target)
{
        _cleanup_free_ char *path = text_format("%s/%s", folder, name);
        _cleanup_free_ char *new_path = text_format("%s/.new", folder);

        if (!path || !new_path)
                return -ENOMEM;
        (void)unlink(new_path);
        return symlink(target, new_path) < 0 || rename(new_path, path) < 0 ? -errno : 0;
}

/* Fills the folder 'copy' with links to the files of sbin, and with a link to our sendmail. In the
 * sandbox of an instance, the machine's sbin is mounted at the path 'place', so the links lead to
 * files below this path. If a file was removed from sbin, its link stays, but leads nowhere.
 * Running instances also see new links. */
static int units_copy_sbin(const char *sbin, const char *copies, const char *copy,
                           const char *place)
{
        const char *const folders[] = { copies, place, copy };
        DIR *dir = opendir(sbin);
        const struct dirent *entry;
        int r = 0;

        if (!dir)
                return -errno;
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(folders); i++)
                r = units_make_folder(folders[i]);
        while (r == 0 && (entry = readdir(dir))) {
                _cleanup_free_ char *target = text_format("%s/%s", place, entry->d_name);

                if (entry->d_name[0] != '.' && strcmp(entry->d_name, "sendmail") != 0)
                        r = target ? units_link(copy, entry->d_name, target) : -ENOMEM;
        }
        (void)closedir(dir);
        return r == 0 ? units_link(copy, "sendmail", BELLHOP_SENDMAIL) : r;
}

int units_write_sendmail(const char *dir, const char *sbin, const char *copies)
{
        _cleanup_free_ char *folder = units_path(dir, "", "");
        _cleanup_free_ char *path = units_path(dir, "", SENDMAIL);
        _cleanup_free_ char *place = text_format("%s/machine", copies);
        _cleanup_free_ char *copy = text_format("%s/instances", copies);
        _cleanup_fclose_ FILE *file = NULL;
        const bool is_there = units_has_sendmail(sbin);
        int r = folder && path && place && copy ? units_make_folder(folder) : -ENOMEM;

        if (r == 0 && !is_there)
                r = units_copy_sbin(sbin, copies, copy, place);
        if (r < 0)
                return r;
        file = fopen(path, "we");
        if (!file)
                return -errno;
        fprintf(file, "# Made by bellhop-generator: see bellhop-mail(8).\n[Service]\n");
        if (is_there)
                fprintf(file, "BindReadOnlyPaths=-" BELLHOP_SENDMAIL ":%s/sendmail\n", sbin);
        else
                fprintf(file, "BindReadOnlyPaths=%s:%s %s:%s\n", sbin, place, copy, sbin);
        if (fflush(file) == 0)
                return 0;
        r = -errno;
        (void)unlink(path);
        return r;
}

int units_announce(void)
{
        /* systemd looks for new unit files when a folder of units has a new modification time. But
         * it does not check the time of UNITS_GENERATED_DIR, because it expects changes in this
         * folder only at a daemon-reload. So SYSTEMD_DIR gets a new time. */
        return utimensat(AT_FDCWD, SYSTEMD_DIR, NULL, 0) < 0 ? -errno : 0;
}
