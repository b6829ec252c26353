/* SPDX-License-Identifier: MIT */
/* Recognizes a CMS by its files. Does not log. */
#pragma once

#include "ctl/ask/access.h"

/* Returns the name of the CMS, or similar application, whose files the user can see in that folder.
 * All applications that this function knows ask other servers for updates. NULL: none was found. */
const char *cms_find(const Identity *who, const char *folder);
