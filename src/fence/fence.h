/* SPDX-License-Identifier: MIT */
/* What this process and all that it starts can't do with sockets any more, whatever user they run
 * as and wherever the sockets come from. Needs no privilege. Does not log. */
#pragma once

typedef enum FencePart {
        FENCE_TCP = 1 << 0,       /* no connect, no bind: Landlock, Linux 6.7 */
        FENCE_FAST_OPEN = 1 << 1, /* nor by other calls than these: seccomp, any Linux */
        FENCE_ABSTRACT = 1 << 2,  /* no abstract unix socket from outside: Landlock, Linux 6.12 */
        FENCE_SHUT = 1 << 3,      /* no SHUT_RD: seccomp, any Linux */
        FENCE_PORT = 1 << 4,      /* no bind to a TCP port: Landlock, Linux 6.7 */
        FENCE_REUSE = 1 << 5,     /* no port that another user has: seccomp, any Linux */
} FencePart;

#define FENCE_PARTS 6

/* How far an instance may connect. */
typedef enum FenceReach {
        FENCE_NOWHERE,
        FENCE_INTERNET,
        FENCE_EVERYWHERE,
} FenceReach;

/* What an instance should have. */
unsigned fence_wanted(FenceReach reach);

/* What of that this kernel has, as it was started. */
unsigned fence_offered(void);

/* What an instance without that part can do; NULL: every kernel has the part. */
const char *fence_gap(FencePart part);

/* Parts that the kernel does not have are left out. Returns 0 or a negative errno. */
int fence_raise(unsigned parts);
