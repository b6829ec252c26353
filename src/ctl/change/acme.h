/* SPDX-License-Identifier: MIT */
/*
 * bellhop-acme(8), where it gets the certificate of an instance: a change of the files, and what
 * comes of it. The functions print what is wrong themselves.
 */
#pragma once

#include "acme/state.h"
#include "config/config.h"
#include "ctl/change/change.h"

#define ACME_SERVICE "bellhop-acme.service"

/* Lets it read the files, as a step, if it may have read older ones or is_changed says so; starts
 * it if it does not run, and there is an instance for it or there will be one (is_wanted). */
bool acme_read_files(Change *change, bool is_wanted, bool is_changed);

/* What it knows of the certificate gets the new name, or goes. */
bool acme_rename_state(Change *change, const char *from, const char *to);
bool acme_remove_state(Change *change, const char *name);

typedef enum AcmeVerdict {
        ACME_WAITS,
        ACME_HAS_CERTIFICATE,
        ACME_LACKS_HOSTS, /* it has a certificate, but not for all of them */
        ACME_HAS_FAILED,
} AcmeVerdict;

/* What has come of a change, from the states before and now. is_changed: the hosts or the authority
 * are others than before. begin: when the state before was read. */
AcmeVerdict acme_judge(const AcmeState *before, const AcmeState *now, bool is_changed,
                       uint64_t begin);

/* Waits for that, in steps; others can change something meanwhile. before: read before the change.
 */
CtlStatus acme_wait(Change *change, const char *name, const AcmeState *before, uint64_t begin,
                    bool is_changed);
