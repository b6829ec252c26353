/* SPDX-License-Identifier: MIT */
/* Restricts how this process, and all processes that it starts later, can use sockets. This applies
 * to every user, and to sockets of any origin. Needs no privilege. Does not log. */
#pragma once

typedef enum FencePart {
        FENCE_TCP = 1 << 0,       /* no connect, no bind: Landlock, Linux 6.7 */
        FENCE_FAST_OPEN = 1 << 1, /* no connection by another call: seccomp, any Linux */
        FENCE_ABSTRACT = 1 << 2,  /* no abstract unix socket from outside: Landlock, Linux 6.12 */
        FENCE_SHUT = 1 << 3,      /* no SHUT_RD: seccomp, any Linux */
        FENCE_PORT = 1 << 4,      /* no bind to a TCP port: Landlock, Linux 6.7 */
        FENCE_REUSE = 1 << 5,     /* no port of another user: seccomp, any Linux */
} FencePart;

#define FENCE_PARTS 6

/* The network that an instance can reach. */
typedef enum FenceReach {
        FENCE_NOWHERE,
        FENCE_INTERNET,
        FENCE_EVERYWHERE,
} FenceReach;

/* Returns the parts of the fence that an instance needs. */
unsigned fence_wanted(FenceReach reach);

/* Returns the parts that the running kernel supports. */
unsigned fence_offered(void);

/* Returns what an instance can do without that part. NULL: every kernel supports the part. */
const char *fence_gap(FencePart part);

/* Sets up these parts of the fence, except parts that the kernel does not support. Returns 0 or a
 * negative errno. */
int fence_raise(unsigned parts);
