/* SPDX-License-Identifier: MIT */
#include "config/folder.h"
#include "config/names.h"
#include "util/cleanup.h"
#include "util/text.h"

static int folder_select(const struct dirent *entry)
{
        return entry->d_name[0] != '.' && text_ends_with(entry->d_name, NAME_CONF_SUFFIX);
}

/* Compares bytes. The order must not depend on the locale, because a later file takes precedence
 * over an earlier one. */
static int folder_compare(const void *a, const void *b)
{
        return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name);
}

int folder_list(const char *path, Folder *ret)
{
        struct dirent **entries;
        const int n = scandir(path, &entries, folder_select, NULL);

        *ret = (Folder){ .n = 0 };
        if (n < 0)
                return errno == ENOENT ? 0 : -errno;
        for (int i = 0; i < n; i++)
                entries[i]->d_name[strlen(entries[i]->d_name) - strlen(NAME_CONF_SUFFIX)] = 0;
        /* If there are no entries, entries is NULL, which qsort(3) does not accept. */
        if (n > 0)
                qsort(entries, (size_t)n, sizeof(*entries), folder_compare);
        *ret = (Folder){ entries, n };
        return 0;
}

void folder_done(Folder *folder)
{
        for (int i = 0; i < folder->n; i++)
                free(folder->entries[i]);
        free(folder->entries);
        *folder = (Folder){ .n = 0 };
}
