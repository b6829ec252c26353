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

/* If bellhop-acme is running, it is reloaded in two cases: is_changed is true, or it has perhaps
 * not read the present files. If bellhop-acme is not running, it is started in two cases: is_wanted
 * is true, or an instance has Tls=acme. Announces the reload or the start as a step. */
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

/* Judges the state of an instance's certificate after a change of the instance. before: the state
 * before the change. begin: the time when that state was read. is_changed: the instance needs
 * another certificate after the change, so the result of an earlier try does not count. */
AcmeVerdict acme_judge(const AcmeState *before, const AcmeState *now, bool is_changed,
                       uint64_t begin);

/* Reads the state again and again until acme_judge() returns something other than ACME_WAITS for
 * it. Announces the progress as steps. Calls change_let_others() first. */
CtlStatus acme_wait(Change *change, const char *name, const AcmeState *before, uint64_t begin,
                    bool is_changed);
