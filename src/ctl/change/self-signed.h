/* SPDX-License-Identifier: MIT */
/* A certificate that an instance signs for itself: good enough to begin with, and for tests. And a
 * request for one that an authority signs. */
#pragma once

#include "ctl/ask/hosts.h"
#include "ctl/change/tls-files.h"

/*
 * Puts a new key and a certificate by it in their place (tls_files_put()): ECDSA P-256, for all
 * hosts, wildcards and addresses. Returns a TlsFiles or a negative errno.
 */
int self_signed_make(const char *config_dir, const char *instance, const char *host,
                     const Hosts *hosts, bool replace);

/* PKCS #10 in PEM form, for all hosts and wildcards, at least one, and for no address; to be freed.
 * NULL: no memory, or OpenSSL can't sign with this key. */
char *request_make(EVP_PKEY *key, const Hosts *hosts);
