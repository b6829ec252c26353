/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "acme-tls/confine.h"
#include "util/cleanup.h"

/* All rights of the first version of Landlock, which every kernel with Landlock supports. */
#define FILE_RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int confine_allow(int rules, const char *dir)
{
        _cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        const struct landlock_path_beneath_attr below = {
                .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
                .parent_fd = fd,
        };

        return fd < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below,
                                 0) < 0
                       ? -errno
                       : 0;
}

int confine(const char *challenges_dir)
{
        const struct landlock_ruleset_attr attributes = { .handled_access_fs = FILE_RIGHTS };
        _cleanup_close_ int rules =
                (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
        int r = 0;

        if (rules < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
                return CONFINE_UNKNOWN;
        if (rules < 0)
                return -errno;
        r = confine_allow(rules, challenges_dir);
        /* Debuggers and sanitizers need to read files about this process. */
        if (r == 0)
                (void)confine_allow(rules, "/proc/self");
        if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                       syscall(SYS_landlock_restrict_self, rules, 0) < 0))
                r = -errno;
        return r;
}
