/* SPDX-License-Identifier: MIT */
/* Calls Landlock, for which the C library has no functions, and loads one seccomp filter. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fence/fence.h"
#include "util/cleanup.h"

/* linux/landlock.h of Debian 12 has only the rights for files, so the others are defined here. */
#define LANDLOCK_VERSION        (1U << 0)
#define LANDLOCK_BIND_TCP       (UINT64_C(1) << 0)
#define LANDLOCK_CONNECT_TCP    (UINT64_C(1) << 1)
#define LANDLOCK_SCOPE_ABSTRACT (UINT64_C(1) << 0)
#define LANDLOCK_ABI_WITH_TCP   4
#define LANDLOCK_ABI_WITH_SCOPE 6

typedef struct LandlockRules {
        uint64_t files;
        uint64_t net;
        uint64_t scoped;
} LandlockRules;

unsigned fence_wanted(FenceReach reach)
{
        switch (reach) {
        case FENCE_NOWHERE:
                /* FENCE_ABSTRACT is not necessary: abstract sockets belong to a network namespace,
                 * and the instance has its own network namespace. */
                return FENCE_SHUT | FENCE_FAST_OPEN | FENCE_TCP;
        case FENCE_INTERNET:
                return FENCE_SHUT | FENCE_FAST_OPEN | FENCE_ABSTRACT | FENCE_PORT | FENCE_REUSE;
        case FENCE_EVERYWHERE:
                break;
        }
        return FENCE_SHUT | FENCE_ABSTRACT;
}

unsigned fence_offered(void)
{
        const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

        return FENCE_FAST_OPEN | FENCE_SHUT | FENCE_REUSE |
               (abi >= LANDLOCK_ABI_WITH_TCP ? FENCE_TCP | FENCE_PORT : 0) |
               (abi >= LANDLOCK_ABI_WITH_SCOPE ? FENCE_ABSTRACT : 0);
}

const char *fence_gap(FencePart part)
{
        if (part == FENCE_TCP)
                return "without Landlock for TCP (Linux 6.7), code in the instance could send "
                       "empty packets from a passed socket to any address, but could not connect";
        if (part == FENCE_ABSTRACT)
                return "without Landlock for abstract unix sockets (Linux 6.12), code in the "
                       "instance can connect to those of all other users";
        if (part == FENCE_PORT)
                return "without Landlock for TCP (Linux 6.7), code in the instance can listen on "
                       "ports from 1024 up, but no client can connect to them";
        return NULL;
}

static int fence_raise_landlock(unsigned parts)
{
        const LandlockRules rules = {
                .net = (parts & (FENCE_TCP | FENCE_PORT) ? LANDLOCK_BIND_TCP : 0) |
                       (parts & FENCE_TCP ? LANDLOCK_CONNECT_TCP : 0),
                .scoped = parts & FENCE_ABSTRACT ? LANDLOCK_SCOPE_ABSTRACT : 0,
        };
        _cleanup_close_ int fd =
                (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

        if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return -errno;
        return 0;
}

/* These comparisons are for arguments that the kernel takes as ints. The kernel ignores the upper
 * half of the register, where a program can put any value, so the comparisons ignore it, too. */
#define IS(argument, value)      SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value)
#define HAS_FLAG(argument, flag) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, flag, flag)

/* The filtered system calls. They fail with EPERM; those of FENCE_REUSE do nothing and return 0. A
 * call with part 0 is always filtered. */
static const struct {
        FencePart part;
        int call;
        unsigned n;
        struct scmp_arg_cmp arguments[2];
} denied[] = {
        /* With io_uring, programs could also make the calls below, and no filter sees the requests
         * in its rings. */
        { .call = SCMP_SYS(io_uring_setup) },
        { .call = SCMP_SYS(io_uring_enter) },
        { .call = SCMP_SYS(io_uring_register) },
        /* Landlock checks only connect(2) and bind(2). The next calls can also connect (Landlock of
         * Linux 6.18 does not check MSG_FASTOPEN), make connect(2) put data into its first packet,
         * or put another protocol on top of TCP (TCP_ULP). */
        { FENCE_FAST_OPEN, SCMP_SYS(sendto), 1, { HAS_FLAG(3, MSG_FASTOPEN) } },
        { FENCE_FAST_OPEN, SCMP_SYS(sendmsg), 1, { HAS_FLAG(2, MSG_FASTOPEN) } },
        { FENCE_FAST_OPEN, SCMP_SYS(sendmmsg), 1, { HAS_FLAG(3, MSG_FASTOPEN) } },
        { FENCE_FAST_OPEN,
          SCMP_SYS(setsockopt),
          2,
          { IS(1, IPPROTO_TCP), IS(2, TCP_FASTOPEN_CONNECT) } },
        { FENCE_FAST_OPEN,
          SCMP_SYS(setsockopt),
          2,
          { IS(1, IPPROTO_TCP), IS(2, TCP_FASTOPEN_NO_COOKIE) } },
        { FENCE_FAST_OPEN, SCMP_SYS(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_ULP) } },
        /* For an MPTCP socket, the kernel makes more connections, also to addresses that the peer
         * chooses. Landlock does not check these connections. */
        { FENCE_FAST_OPEN, SCMP_SYS(socket), 1, { IS(2, IPPROTO_MPTCP) } },
        /* A hand-off socket that is shut down only for reading blocks systemd: see
         * handoff/hangup.h. */
        { FENCE_SHUT, SCMP_SYS(shutdown), 1, { IS(1, SHUT_RD) } },
        /* With this option, two UDP sockets can share a port, even sockets of different users, and
         * the later socket gets the packets. Many programs set the option for a TCP port, and give
         * up if this fails, so the call does nothing and returns 0. */
        { FENCE_REUSE, SCMP_SYS(setsockopt), 2, { IS(1, SOL_SOCKET), IS(2, SO_REUSEADDR) } },
};

static int fence_raise_seccomp(unsigned parts)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int r = filter ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(denied); i++)
                if (denied[i].part == 0 || denied[i].part & parts)
                        r = seccomp_rule_add_array(
                                filter, SCMP_ACT_ERRNO(denied[i].part == FENCE_REUSE ? 0 : EPERM),
                                denied[i].call, denied[i].n, denied[i].arguments);
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

int fence_raise(unsigned parts)
{
        int r = 0;

        parts &= fence_offered();
        if (parts == 0)
                return 0;
        /* For a process without privilege, Landlock and seccomp need this flag. The unit has
         * already set it. */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        if (parts & (FENCE_TCP | FENCE_PORT | FENCE_ABSTRACT))
                r = fence_raise_landlock(parts);
        if (r == 0 && parts & (FENCE_FAST_OPEN | FENCE_SHUT | FENCE_REUSE))
                r = fence_raise_seccomp(parts);
        return r;
}
