/* SPDX-License-Identifier: MIT */
/*
 * Reports changed files to bellhop-acme(8), for instances whose certificate it gets, and waits for
 * the result. The functions print errors themselves.
 */
#pragma once

#include "acme/state.h"
#include "config/config.h"
#include "ctl/change/change.h"

#define ACME_SERVICE "bellhop-acme.service"

/* Has bellhop-acme read the files, as a step, if it may have read older ones or is_changed is set.
 * Starts bellhop-acme if it is not running and an instance needs it, or will need it (is_wanted).
 */
bool acme_read_files(Change *change, bool is_wanted, bool is_changed);

/* Renames or removes the state of bellhop-acme for the certificate of an instance. */
bool acme_rename_state(Change *change, const char *from, const char *to);
bool acme_remove_state(Change *change, const char *name);

typedef enum AcmeVerdict {
        ACME_WAITS,
        ACME_HAS_CERTIFICATE,
        ACME_LACKS_HOSTS, /* the instance has a certificate, but not for all hosts */
        ACME_HAS_FAILED,
} AcmeVerdict;

/* The result of a change, from the old and the present state. is_changed: the hosts or the
 * authority are different. begin: when the old state was read. */
AcmeVerdict acme_judge(const AcmeState *before, const AcmeState *now, bool is_changed,
                       uint64_t begin);

/* Waits for the result, in steps; meanwhile, other verbs can change something. before: the state
 * before the change. */
CtlStatus acme_wait(Change *change, const char *name, const AcmeState *before, uint64_t begin,
                    bool is_changed);
