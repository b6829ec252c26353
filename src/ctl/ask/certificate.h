/* SPDX-License-Identifier: MIT */
/*
 * Certificates and keys as they stand in files, and what is wrong with them, by OpenSSL. Pure but
 * for memory: asks no clock and no file.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <time.h>

#define CERTIFICATE_FILE_MAX_BYTES (1024U * 1024)

/* How text in PEM form is taken. */
typedef enum PemResult {
        PEM_TAKEN,
        PEM_NOTHING, /* there is none of that kind in it */
        PEM_BROKEN,
        PEM_ENCRYPTED, /* a key that needs a pass phrase */
} PemResult;

/* All certificates, in their order: at least one with PEM_TAKEN. */
PemResult certificates_parse(const char *text, size_t size, STACK_OF(X509) * *ret);
void certificates_free(STACK_OF(X509) * certificates);
PemResult key_parse(const char *text, size_t size, EVP_PKEY **ret);

/* A certificate with its issuer in place of its subject. */
bool certificate_is_self_signed(X509 *certificate);
bool certificate_is_issuer(X509 *issuer, X509 *subject);

typedef enum ChainState {
        CHAIN_TRUSTED,     /* leads to an authority that the store has */
        CHAIN_SELF_SIGNED, /* is the site's certificate alone, which nobody vouches for */
        CHAIN_UNTRUSTED,   /* whole as far as can be seen, but its authority is not in the store */
        CHAIN_INCOMPLETE,  /* an issuer is missing */
} ChainState;

#define CHAIN_MAX 32

typedef struct Chain {
        ChainState state;
        bool in_order;        /* the file begins with the chain, each one followed by its issuer */
        int order[CHAIN_MAX]; /* the numbers, from 0, of the certificates as they should stand */
        int n;                /* of all of them */
        int n_linked;         /* of those that the chain has; the others are of no use */
        X509 *leaf;           /* the site's; of the stack */
        X509 *last;           /* the one whose issuer is none of them */
} Chain;

/* key: whose certificate is the site's; NULL: not known, then it is the first that is no authority.
 */
Chain chain_judge(STACK_OF(X509) * certificates, EVP_PKEY *key, X509_STORE *store);

typedef enum Validity {
        VALIDITY_GOOD,
        VALIDITY_NOT_YET,
        VALIDITY_ENDS_SOON,
        VALIDITY_OVER,
} Validity;

/* Soon: 30 days, or for those with a short life the last third of it. */
Validity certificate_validity(const X509 *certificate, time_t now);
time_t certificate_not_before(const X509 *certificate);
time_t certificate_not_after(const X509 *certificate);

/* "*.suffix": any one label below the suffix. */
bool certificate_covers(X509 *certificate, const char *host);

/* NULL: strong enough; else what is weak, for people. */
const char *certificate_weakness(X509 *certificate);

/* All to be freed; NULL without memory or where there is none. */
char *certificate_subject(const X509 *certificate);
char *certificate_issuer(const X509 *certificate);
char *certificate_names(X509 *certificate);    /* hosts and addresses, one a line */
char *certificate_key_type(X509 *certificate); /* "EC P-256", "RSA 2048" */
char *certificate_signature(const X509 *certificate);
char *certificate_serial(const X509 *certificate);
char *certificate_fingerprint(const X509 *certificate); /* SHA-256 */
char *certificate_issuer_url(X509 *certificate); /* where its issuer's certificate can be had */
