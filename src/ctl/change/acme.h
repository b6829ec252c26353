/* SPDX-License-Identifier: MIT */
/*
 * Makes bellhop-acme(8) read changed files, and waits until bellhop-acme has the certificate of an
 * instance. The functions print errors themselves.
 */
#pragma once

#include "acme/state.h"
#include "config/config.h"
#include "ctl/change/change.h"

#define ACME_SERVICE "bellhop-acme.service"

/* If bellhop-acme is running, makes it read the files, if is_changed is true or if it may have read
 * older files. If bellhop-acme is not running, starts it if an instance needs it or will need it
 * (is_wanted). Announces either as a step. */
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

/* Derives the result of a change from the states of the certificate before the change and now.
 * is_changed: the change concerns the hosts or the authority. begin: the time when the state before
 * was read. */
AcmeVerdict acme_judge(const AcmeState *before, const AcmeState *now, bool is_changed,
                       uint64_t begin);

/* Waits for the result, and announces the progress as steps. Meanwhile, other verbs can change
 * something. before: the state before the change. */
CtlStatus acme_wait(Change *change, const char *name, const AcmeState *before, uint64_t begin,
                    bool is_changed);
