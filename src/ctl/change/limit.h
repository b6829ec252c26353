/* SPDX-License-Identifier: MIT */
/* Sets and removes limits of an instance (ctl/ask/limits.h). The functions print what is wrong. */
#pragma once

#include "ctl/ask/limits.h"
#include "ctl/change/change.h"

/* What the options ask for. */
typedef struct Wanted {
        bool is_given[LIMITS];
        uint64_t max[LIMITS]; /* UINT64_MAX: none of its own */
} Wanted;

CtlStatus limit_options(const Ctl *ctl, Wanted *ret);

/* Which of them differ from what is in force, and can be changed. new: there is no such instance
 * yet, so systemd must not load its unit. CTL_FAILED: nothing may be changed. */
CtlStatus limit_find_needs(const Change *change, const char *name, const Wanted *wanted,
                           bool is_new, bool ret[static LIMITS]);

/* Says what is done next, as change_step() does, and does it. False: it has failed. */
bool limit_apply(Change *change, const char *name, const Wanted *wanted,
                 const bool needs[static LIMITS]);

/* Takes back what limit_apply() has done for a new instance whose unit has not been started. */
void limit_undo(const char *name, const bool needs[static LIMITS]);
