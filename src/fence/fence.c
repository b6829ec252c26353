/* SPDX-License-Identifier: MIT */
/* Owns the calls of Landlock, for which the C library has no names, and one seccomp filter. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fence/fence.h"
#include "util/cleanup.h"

/* linux/landlock.h of Debian 12 knows files only. */
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

unsigned fence_wanted(bool network)
{
        /* Abstract sockets belong to a network namespace, so without Network=yes it sees its own.
         */
        return FENCE_SHUT | (network ? FENCE_ABSTRACT : FENCE_TCP | FENCE_FAST_OPEN);
}

unsigned fence_offered(void)
{
        const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

        return FENCE_FAST_OPEN | FENCE_SHUT | (abi >= LANDLOCK_ABI_WITH_TCP ? FENCE_TCP : 0) |
               (abi >= LANDLOCK_ABI_WITH_SCOPE ? FENCE_ABSTRACT : 0);
}

const char *fence_gap(FencePart part)
{
        switch (part) {
        case FENCE_TCP:
                return "without Landlock for TCP (Linux 6.7), code in it could send empty packets "
                       "from a passed socket to any address, though no connection comes of it";
        case FENCE_ABSTRACT:
                return "without Landlock for abstract unix sockets (Linux 6.12), code in it "
                       "reaches those of all other users";
        case FENCE_FAST_OPEN:
        case FENCE_SHUT:
                break;
        }
        return NULL;
}

static int raise_landlock(unsigned parts)
{
        const LandlockRules rules = {
                .net = parts & FENCE_TCP ? LANDLOCK_BIND_TCP | LANDLOCK_CONNECT_TCP : 0,
                .scoped = parts & FENCE_ABSTRACT ? LANDLOCK_SCOPE_ABSTRACT : 0,
        };
        _cleanup_close_ int fd = -EBADF;

        fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
        if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
                return -errno;
        return 0;
}

static int deny_flag(scmp_filter_ctx filter, int call, unsigned argument)
{
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                                SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
}

static int deny_tcp_option(scmp_filter_ctx filter, int option)
{
        /* The kernel takes an int; what stands above it in the register is the caller's. */
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt), 2,
                                SCMP_CMP(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, IPPROTO_TCP),
                                SCMP_CMP(2, SCMP_CMP_MASKED_EQ, UINT32_MAX, (unsigned)option));
}

/*
 * Landlock sees connect(2) and bind(2). These connect by the way (measured on Linux 6.18:
 * MSG_FASTOPEN passes by Landlock), put data into the first packet, or turn the socket into one of
 * another kind.
 */
static int deny_fast_open(scmp_filter_ctx filter)
{
        static const int options[] = { TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE, TCP_ULP };
        int r = deny_flag(filter, SCMP_SYS(sendto), 3);

        if (r == 0)
                r = deny_flag(filter, SCMP_SYS(sendmsg), 2);
        if (r == 0)
                r = deny_flag(filter, SCMP_SYS(sendmmsg), 3);
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(options); i++)
                r = deny_tcp_option(filter, options[i]);
        return r;
}

/*
 * A datagram socket that is shut for reading alone stays readable for ever, with nothing to read:
 * that of an instance is also polled by systemd, which runs no job any more, for any unit, while it
 * is to stop such a socket (measured with systemd 252). Shut for both it tells, and the unit fails.
 */
static int deny_shut(scmp_filter_ctx filter)
{
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(shutdown), 1,
                                SCMP_CMP(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, SHUT_RD));
}

/* io_uring has all calls once more, and no filter sees what is in its rings. */
static int deny_rings(scmp_filter_ctx filter)
{
        static const int rings[] = { SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
                                     SCMP_SYS(io_uring_register) };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(rings); i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), rings[i], 0);
        return r;
}

static int raise_seccomp(unsigned parts)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int r;

        if (!filter)
                return -ENOMEM;
        r = deny_rings(filter);
        if (r == 0 && parts & FENCE_FAST_OPEN)
                r = deny_fast_open(filter);
        if (r == 0 && parts & FENCE_SHUT)
                r = deny_shut(filter);
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
        /* The unit has set it already; without it, neither is for the unprivileged. */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        if (parts & (FENCE_TCP | FENCE_ABSTRACT))
                r = raise_landlock(parts);
        if (r == 0 && parts & (FENCE_FAST_OPEN | FENCE_SHUT))
                r = raise_seccomp(parts);
        return r;
}
