/* SPDX-License-Identifier: MIT */
/* Makes a self-signed certificate, for tests, or until an authority has issued a certificate. Also
 * makes requests for certificates from an authority. */
#pragma once

#include "config/acme-settings.h"
#include "ctl/ask/hosts.h"
#include "ctl/change/tls-files.h"

/*
 * Installs a new key and its certificate, for all hosts, wildcards and addresses in hosts. host and
 * replace: as for tls_files_put(). Returns a TlsFiles or a negative errno.
 */
int self_signed_make(const char *config_dir, const char *instance, const char *host,
                     const Hosts *hosts, AcmeKeyType type, bool replace);

/* A TlsUse for tls_files_use_key(): makes a request for a certificate. hosts: a Hosts, with at
 * least one host or wildcard; the request names all its hosts. *ret_text: the request, PKCS #10 in
 * PEM form. Returns 0, -ENOTSUP if OpenSSL can't sign with this key, or -ENOMEM. */
int request_make(int folder, EVP_PKEY *key, const void *hosts, char **ret_text);
