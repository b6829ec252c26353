/* SPDX-License-Identifier: MIT */
/* Writes and uses the files of an instance's certificate and key, in a folder that the customer
 * owns. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

typedef enum TlsFiles {
        TLS_FILES_PUT,
        TLS_FILES_EXIST, /* a certificate or key exists, and nothing was changed */
        TLS_FILES_NO_USER,
        TLS_FILES_NO_FOLDER, /* a host is given, but the instance has no folder */
        TLS_FILES_NO_NAME,   /* only from self_signed_make(): neither host nor address leads to the
                                instance */
} TlsFiles;

typedef struct TlsPair {
        STACK_OF(X509) * chain; /* the instance's own certificate first */
        EVP_PKEY *key;          /* NULL: keeps the existing key */
} TlsPair;

/* Makes a key and certificates, and sets *ret, whose members the caller frees. Returns 0 or a
 * negative errno. */
typedef int TlsMake(const void *userdata, TlsPair *ret);

/*
 * Writes the output of make() to config_dir/tls/NAME/{fullchain,privkey}.pem, in a process with the
 * customer's rights. Only the customer can read the files. Each file is written whole or not at
 * all. If the folder is missing, it is made with both files in it. If host is not NULL, writes to
 * the folder of that host below NAME instead of NAME itself. If replace is false, keeps existing
 * files. Returns a TlsFiles or a negative errno.
 */
int tls_files_put(const char *config_dir, const char *instance, const char *host, TlsMake *make,
                  const void *userdata, bool replace);

/* Replaces certificate and key in the folder. Call it in a process with the customer's rights. If
 * pair->key is not NULL, the previous files remain there as fullchain.pem~N and privkey.pem~N.
 * Returns 0 or a negative errno. After an error, tries to put back the previous files. */
int tls_files_replace(int folder, const TlsPair *pair);

/* Uses the key, and sets *ret_text. folder: the folder of the key. Returns 0 or a negative
 * errno. */
typedef int TlsUse(int folder, EVP_PKEY *key, const void *userdata, char **ret_text);

/* Calls use() with the present key, in a process with the customer's rights. Follows no link.
 * Returns a PemResult of certificate.h, or a negative errno, which may come from use(). */
int tls_files_use_key(const char *config_dir, const char *instance, const char *host, TlsUse *use,
                      const void *userdata, char **ret_text);
