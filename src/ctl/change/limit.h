/* SPDX-License-Identifier: MIT */
/* Sets and removes limits of an instance (ctl/ask/limits.h). The functions print errors. */
#pragma once

#include "ctl/ask/limits.h"
#include "ctl/change/change.h"

/* The limits from the options. */
typedef struct Wanted {
        bool is_given[LIMITS];
        uint64_t max[LIMITS]; /* UINT64_MAX: the limit is to be removed */
} Wanted;

CtlStatus limit_options(const Ctl *ctl, Wanted *ret);

/* Sets ret[] to true for each wanted limit that differs from the present one. is_new: the instance
 * does not exist yet, so systemd is not asked, and the instance counts as one without limits.
 * CTL_FAILED: a limit can't be changed, so the caller must change nothing. */
CtlStatus limit_find_needs(const Change *change, const char *name, const Wanted *wanted,
                           bool is_new, bool ret[static LIMITS]);

/* Announces each change of a limit with change_step(), then makes the changes. False: a change
 * failed. */
bool limit_apply(Change *change, const char *name, const Wanted *wanted,
                 const bool needs[static LIMITS]);

/* Undoes limit_apply() for a new instance whose unit has not been started. */
void limit_undo(const char *name, const bool needs[static LIMITS]);
