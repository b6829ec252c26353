/* SPDX-License-Identifier: MIT */
/* Lists the configuration files in a folder. */
#pragma once

#include <dirent.h>

typedef struct Folder {
        struct dirent **entries; /* sorted by d_name, which is without ".conf" */
        int n;
} Folder;

/* Lists the files NAME.conf. A missing folder counts as empty. Returns 0 or a negative errno. */
int folder_list(const char *path, Folder *ret);
void folder_done(Folder *folder);
