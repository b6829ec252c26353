/* SPDX-License-Identifier: MIT */
/* What a visitor sees of a site that has no pages of its own yet. */
#pragma once

#include <sys/types.h>

#define FIRST_PAGE "index.html"

/* Puts it into the folder of the customer, as folder_make() wants it. 0, or a negative errno. */
int first_page_put(int folder, const char *name, uid_t uid, gid_t gid);
