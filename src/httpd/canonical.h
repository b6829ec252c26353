/* SPDX-License-Identifier: MIT */
/* Redirects requests for other hosts to the host that Canonical= names. */
#pragma once

#include <httpd.h>

#include "config/config.h"

/* Call this in the first hook of a request. Returns DECLINED if the request needs no redirect.
 * Otherwise sets the target of the redirect, and returns its status. */
int canonical_redirect(request_rec *request, const Config *config, uint32_t own);
