/* SPDX-License-Identifier: MIT */
/* Gets and sets the kernel's disk quota of a user on one file system: see quotactl(2). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

typedef enum QuotaState {
        QUOTA_ON,
        QUOTA_OFF, /* turned off, or not supported by the file system or the kernel */
} QuotaState;

typedef struct Quota {
        uint64_t used; /* bytes */
        uint64_t max;  /* bytes; UINT64_MAX: no limit */
} Quota;

/* Gets the quota on the file system of the folder. Returns a QuotaState or a negative errno. */
int quota_get(const char *folder, uid_t uid, Quota *ret);

/* Sets the user's limit on the file system of the folder to max, rounded up to whole KiB.
 * UINT64_MAX removes the limit. Other limits of the user are kept. */
int quota_set(const char *folder, uid_t uid, uint64_t max);

/* The rounded limit that quota_set() sets. */
uint64_t quota_round(uint64_t max);
