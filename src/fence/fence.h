/* SPDX-License-Identifier: MIT */
/* The fence restricts how this process, and all processes that it starts later, can use sockets. It
 * applies under every user id, and also to sockets that these processes have received from others.
 * Needs no privilege. Does not log. */
#pragma once

typedef enum FencePart {
        FENCE_TCP = 1 << 0,       /* no connect(2) or bind(2) for TCP: Landlock, Linux 6.7 */
        FENCE_FAST_OPEN = 1 << 1, /* no TCP connection by other system calls: seccomp, any Linux */
        FENCE_ABSTRACT = 1 << 2,  /* no connection to abstract unix sockets of processes outside of
                                     the fence: Landlock, Linux 6.12 */
        FENCE_SHUT = 1 << 3,      /* no shutdown(2) with SHUT_RD: seccomp, any Linux */
        FENCE_PORT = 1 << 4,      /* no bind to a TCP port: Landlock, Linux 6.7 */
        FENCE_REUSE = 1 << 5,     /* no UDP port that a socket of another user has: seccomp, any
                                     Linux */
} FencePart;

#define FENCE_PARTS 6

/* What an instance can connect to. */
typedef enum FenceReach {
        FENCE_NOWHERE,
        FENCE_INTERNET,
        FENCE_EVERYWHERE,
} FenceReach;

/* Returns the parts of the fence that an instance needs. */
unsigned fence_wanted(FenceReach reach);

/* Returns the parts that the running kernel supports. */
unsigned fence_offered(void);

/* Returns a text that says what an instance can do without this part. Returns NULL if every kernel
 * supports the part. */
const char *fence_gap(FencePart part);

/* Sets up these parts of the fence, except parts that the kernel does not support. Returns 0 or a
 * negative errno. */
int fence_raise(unsigned parts);
