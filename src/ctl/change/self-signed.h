/* SPDX-License-Identifier: MIT */
/* A certificate that an instance signs for itself: good enough to begin with, and for tests. */
#pragma once

#include "ctl/ask/hosts.h"

typedef enum SelfSigned {
        SELF_SIGNED_MADE,
        SELF_SIGNED_EXISTS,  /* there is a certificate or key, and nothing was changed */
        SELF_SIGNED_NO_NAME, /* neither host nor address leads to the instance */
        SELF_SIGNED_NO_USER,
} SelfSigned;

/*
 * Makes config_dir/tls/NAME/{fullchain,privkey}.pem, owned by the user and readable by that user
 * alone: ECDSA P-256, for all hosts, wildcards and addresses. Each file is written as a whole or
 * not at all. replace: also where there are files. Returns a SelfSigned or a negative errno.
 */
int self_signed_make(const char *config_dir, const char *instance, const Hosts *hosts,
                     bool replace);
