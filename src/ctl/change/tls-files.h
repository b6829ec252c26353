/* SPDX-License-Identifier: MIT */
/* Certificate and key of an instance, as files in the folder that the customer owns. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

typedef enum TlsFiles {
        TLS_FILES_PUT,
        TLS_FILES_EXIST, /* there is a certificate or key, and nothing was changed */
        TLS_FILES_NO_USER,
        TLS_FILES_NO_FOLDER, /* for a host, and the instance has none */
        TLS_FILES_NO_NAME, /* by self_signed_make(): neither host nor address leads to the instance
                            */
} TlsFiles;

typedef struct TlsPair {
        STACK_OF(X509) * chain; /* the instance's own certificate first */
        EVP_PKEY *key;          /* NULL: the key that is there stays */
} TlsPair;

/*
 * Writes config_dir/tls/NAME/{fullchain,privkey}.pem, owned by the user and readable by that user
 * alone. Each file is written as a whole or not at all. A folder that is not there is made, with
 * both files in it. host: the folder of that host in it, or NULL. replace: also where there are
 * files. Returns a TlsFiles or a negative errno.
 */
int tls_files_put(const char *config_dir, const char *instance, const char *host,
                  const TlsPair *pair, bool replace);

/* Reads the present key with the rights of the customer, through no link. Returns a PemResult of
 * certificate.h, or a negative errno. */
int tls_files_read_key(const char *config_dir, const char *instance, const char *host,
                       EVP_PKEY **ret);
