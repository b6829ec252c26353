/* SPDX-License-Identifier: MIT */
/*
 * Makes bellhop-acme(8) read changed files, and waits until it has the certificate of an instance.
 * The functions print errors themselves.
 */
#pragma once

#include "acme/state.h"
#include "config/config.h"
#include "ctl/change/change.h"

#define ACME_SERVICE "bellhop-acme.service"

/* Makes bellhop-acme read the files, as a step, if is_changed is set or bellhop-acme may have read
 * older files. Starts bellhop-acme if it is not running, and an instance needs it or will need it
 * (is_wanted). */
bool acme_read_files(Change *change, bool is_wanted, bool is_changed);

/* Renames or removes the file in which bellhop-acme keeps the state of an instance's
 * certificate. */
bool acme_rename_state(Change *change, const char *from, const char *to);
bool acme_remove_state(Change *change, const char *name);

typedef enum AcmeVerdict {
        ACME_WAITS,
        ACME_HAS_CERTIFICATE,
        ACME_LACKS_HOSTS, /* the instance has a certificate, but not for all hosts */
        ACME_HAS_FAILED,
} AcmeVerdict;

/* Derives the result of a change from the old and the present state. is_changed: the change
 * concerns the hosts or the authority. begin: the time when the old state was read. */
AcmeVerdict acme_judge(const AcmeState *before, const AcmeState *now, bool is_changed,
                       uint64_t begin);

/* Waits for the result, and announces the progress as steps. Meanwhile, other verbs can change
 * something. before: the state before the change. */
CtlStatus acme_wait(Change *change, const char *name, const AcmeState *before, uint64_t begin,
                    bool is_changed);
