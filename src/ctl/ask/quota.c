/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ctl/ask/quota.h"
#include "util/cleanup.h"

/* The same as QCMD() of <sys/quota.h> for a user's quota. */
#define USER_COMMAND(command) ((unsigned)(command) << SUBCMDSHIFT | USRQUOTA)

/* Uses quotactl_fd(2), which accepts any folder. quotactl(2) would need the path of the device. */
static int quota_call(const char *folder, int command, uid_t uid, struct if_dqblk *quota)
{
        _cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (syscall(SYS_quotactl_fd, fd, USER_COMMAND(command), uid, quota) == 0)
                return QUOTA_ON;
        return errno == ESRCH || errno == ENOSYS || errno == ENOTSUP || errno == ENODEV ||
                               errno == ENOTBLK
                       ? QUOTA_OFF
                       : -errno;
}

int quota_get(const char *folder, uid_t uid, Quota *ret)
{
        struct if_dqblk quota = { 0 };
        const int r = quota_call(folder, Q_GETQUOTA, uid, &quota);

        if (r == QUOTA_ON) {
                ret->used = quota.dqb_curspace;
                ret->max = quota.dqb_bhardlimit == 0 ? UINT64_MAX
                                                     : quota.dqb_bhardlimit * QIF_DQBLKSIZE;
        }
        return r;
}

uint64_t quota_round(uint64_t max)
{
        return max == UINT64_MAX
                       ? max
                       : (max / QIF_DQBLKSIZE + (max % QIF_DQBLKSIZE > 0)) * QIF_DQBLKSIZE;
}

int quota_set(const char *folder, uid_t uid, uint64_t max)
{
        struct if_dqblk quota = {
                .dqb_bhardlimit = max == UINT64_MAX ? 0 : quota_round(max) / QIF_DQBLKSIZE,
                .dqb_valid = QIF_BLIMITS,
        };

        return quota_call(folder, Q_SETQUOTA, uid, &quota);
}
