/* SPDX-License-Identifier: MIT */
/* Which application pages are of, as far as its files tell. Does not log. */
#pragma once

#include "ctl/ask/access.h"

/* The name of a CMS or the like that asks other servers for updates, if the user can see its files
 * in that folder; NULL: it is none, or that is not known. */
const char *cms_find(const Identity *who, const char *folder);
