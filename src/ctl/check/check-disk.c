/* SPDX-License-Identifier: MIT */
/*
 * Checks whether the file systems that bellhop writes to have free space. Looks only at folders
 * that root owns, because a file system that a customer mounted could block the check for ever.
 */
#include <sys/statvfs.h>

#include "ctl/ask/log-folder.h"
#include "ctl/check/check.h"
#include "util/cleanup.h"

/* Reports a file system without free space. Some file systems count neither blocks nor inodes: all
 * their numbers are 0. A read-only file system never has free space. */
static void disk_check_one(Check *check, const char *folder)
{
        struct statvfs st;

        if (statvfs(folder, &st) < 0 || (st.f_flag & ST_RDONLY))
                return;
        if (st.f_blocks > 0 && st.f_bavail == 0)
                finding_add(&check->findings, FINDING_DISK_FULL, (Place){ .file = folder }, NULL,
                            "its file system has no free space");
        else if (st.f_files > 0 && st.f_favail == 0)
                finding_add(&check->findings, FINDING_DISK_FULL, (Place){ .file = folder },
                            "Remove files there. 'df -i {file}' shows the mount point, and 'du -x "
                            "--inodes MOUNTPOINT | sort -n' shows what has most files.",
                            "its file system has no free inodes, so no file can be created");
}

void check_disk(Check *check)
{
        const char *const folders[] = {
                check->ctl->config_dir, "/run",           WWW_DIR,        "/var/lib/bellhop",
                BELLHOP_USAGE_DIR,      BELLHOP_MAIL_DIR, ACME_STATE_DIR, LOG_DIR,
        };
        dev_t devices[ELEMENTSOF(folders)];
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                struct stat st;
                size_t j = 0;

                if (stat(folders[i], &st) < 0)
                        continue;
                while (j < n && devices[j] != st.st_dev)
                        j++;
                if (j < n)
                        continue;
                devices[n++] = st.st_dev;
                disk_check_one(check, folders[i]);
        }
}
