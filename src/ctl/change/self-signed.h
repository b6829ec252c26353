/* SPDX-License-Identifier: MIT */
/* A certificate that an instance signs for itself: good enough to begin with, and for tests. And a
 * request for one that an authority signs. */
#pragma once

#include "config/acme-settings.h"
#include "ctl/ask/hosts.h"
#include "ctl/change/tls-files.h"

/*
 * Puts a new key and a certificate by it in their place (tls_files_put()): for all hosts, wildcards
 * and addresses. Returns a TlsFiles or a negative errno.
 */
int self_signed_make(const char *config_dir, const char *instance, const char *host,
                     const Hosts *hosts, AcmeKeyType type, bool replace);

/* For tls_files_use_key(). hosts: a Hosts, whose hosts and wildcards, at least one, the request
 * names; *ret_text: PKCS #10 in PEM form. Returns 0; -ENOTSUP: OpenSSL can't sign with this key; or
 * -ENOMEM. */
int request_make(int folder, EVP_PKEY *key, const void *hosts, char **ret_text);
