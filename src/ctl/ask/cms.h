/* SPDX-License-Identifier: MIT */
/* Recognizes a CMS by its files. Does not log. */
#pragma once

#include "ctl/ask/access.h"

/* The name of a CMS or similar application that asks other servers for updates, if the user can see
 * its files in that folder. NULL: there is none, or this is unknown. */
const char *cms_find(const Identity *who, const char *folder);
