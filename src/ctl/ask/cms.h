/* SPDX-License-Identifier: MIT */
/* Recognizes a content management system (CMS) by its files. Does not log. */
#pragma once

#include "ctl/ask/access.h"

/* Returns the name of the CMS, or of a similar application, whose files the user can see in that
 * folder. NULL: no application was found. All applications that this function knows need a network,
 * because they ask other servers for updates. */
const char *cms_find(const Identity *who, const char *folder);
