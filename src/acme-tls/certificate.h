/* SPDX-License-Identifier: MIT */
/* Makes the certificate with which bellhop-acme-tls answers the challenge of a certificate
 * authority (tls-alpn-01). */
#pragma once

#include <openssl/x509.h>

#include "challenge/challenge.h"

/* Makes a self-signed certificate for the host, as RFC 8737 section 3 describes it. Returns NULL
 * if there is not enough memory. */
X509 *certificate_make(EVP_PKEY *key, const char *host,
                       const uint8_t digest[static CHALLENGE_DIGEST_SIZE]);
