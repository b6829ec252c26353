/* SPDX-License-Identifier: MIT */
#include <dirent.h>

#include "config/folder.h"
#include "config/names.h"
#include "util/array.h"
#include "util/cleanup.h"

static void folder_closep(DIR **dir)
{
        if (*dir)
                (void)closedir(*dir);
}

/* Not by locale: the order of files decides which one wins. */
static int folder_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int folder_add(Folder *folder, const char *file)
{
        const size_t size = strlen(file), suffix = strlen(NAME_CONF_SUFFIX);
        _cleanup_free_ char *name = NULL;
        int r;

        if (file[0] == '.' || size <= suffix || strcmp(file + size - suffix, NAME_CONF_SUFFIX) != 0)
                return 0;
        name = strndup(file, size - suffix);
        if (!name)
                return -ENOMEM;
        r = array_append(folder->names, folder->n, name);
        if (r == 0)
                name = NULL;
        return r;
}

int folder_list(const char *path, Folder *ret)
{
        _cleanup_(folder_closep) DIR *dir = opendir(path);
        _cleanup_(folder_done) Folder folder = { .n = 0 };
        const struct dirent *entry;
        int r = 0;

        *ret = folder;
        if (!dir)
                return errno == ENOENT ? 0 : -errno;
        while (r == 0 && (errno = 0, entry = readdir(dir)))
                r = folder_add(&folder, entry->d_name);
        if (r == 0)
                r = -errno;
        if (r < 0)
                return r;
        if (folder.n > 0)
                qsort(folder.names, folder.n, sizeof(*folder.names), folder_compare);
        *ret = folder;
        folder = (Folder){ .n = 0 };
        return 0;
}

void folder_done(Folder *folder)
{
        for (size_t i = 0; i < folder->n; i++)
                free(folder->names[i]);
        free(folder->names);
        *folder = (Folder){ .n = 0 };
}
