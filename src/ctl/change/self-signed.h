/* SPDX-License-Identifier: MIT */
/* A certificate that an instance signs for itself: good enough to begin with, and for tests. */
#pragma once

#include "ctl/ask/hosts.h"
#include "ctl/change/tls-files.h"

/*
 * Puts a new key and a certificate by it in their place (tls_files_put()): ECDSA P-256, for all
 * hosts, wildcards and addresses. Returns a TlsFiles or a negative errno.
 */
int self_signed_make(const char *config_dir, const char *instance, const Hosts *hosts,
                     bool replace);
