/* SPDX-License-Identifier: MIT */
/* Restricts the use of sockets by this process and everything that it starts, for every user and
 * every origin of the sockets. Needs no privilege. Does not log. */
#pragma once

typedef enum FencePart {
        FENCE_TCP = 1 << 0,       /* no connect, no bind: Landlock, Linux 6.7 */
        FENCE_FAST_OPEN = 1 << 1, /* no connection with other calls: seccomp, any Linux */
        FENCE_ABSTRACT = 1 << 2,  /* no abstract unix socket from outside: Landlock, Linux 6.12 */
        FENCE_SHUT = 1 << 3,      /* no SHUT_RD: seccomp, any Linux */
        FENCE_PORT = 1 << 4,      /* no bind to a TCP port: Landlock, Linux 6.7 */
        FENCE_REUSE = 1 << 5,     /* no port of another user: seccomp, any Linux */
} FencePart;

#define FENCE_PARTS 6

/* The reach of an instance. */
typedef enum FenceReach {
        FENCE_NOWHERE,
        FENCE_INTERNET,
        FENCE_EVERYWHERE,
} FenceReach;

/* The parts for an instance. */
unsigned fence_wanted(FenceReach reach);

/* The parts that the running kernel has. */
unsigned fence_offered(void);

/* What an instance can do without that part; NULL: every kernel has the part. */
const char *fence_gap(FencePart part);

/* Leaves out parts that the kernel does not have. Returns 0 or a negative errno. */
int fence_raise(unsigned parts);
