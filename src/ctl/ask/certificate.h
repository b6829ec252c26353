/* SPDX-License-Identifier: MIT */
/*
 * Reads certificates and keys with OpenSSL, and finds their faults. Does not read the clock.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <time.h>

#include "ctl/ask/hosts.h"

typedef enum PemResult {
        PEM_TAKEN,
        PEM_NOTHING, /* the text has no certificate, or no key */
        PEM_BROKEN,
        PEM_ENCRYPTED, /* a key that needs a pass phrase */
} PemResult;

/* If the result is PEM_TAKEN, *ret contains the certificates (at least one) in the order of the
 * text. */
PemResult certificates_parse(const char *text, size_t size, STACK_OF(X509) * *ret);
/* These functions read a file. They return a PemResult, or a negative errno of file_read(). */
int certificates_read(const char *path, STACK_OF(X509) * *ret);
int key_read(const char *path, EVP_PKEY **ret);
/* These functions do the same with a file in a customer's folder, but do not follow a symbolic
 * link. key_read_own() refuses large files: a signature with a huge key could take hours. */
int certificates_read_own(int folder, const char *name, STACK_OF(X509) * *ret);
int key_read_own(int folder, const char *name, EVP_PKEY **ret);
void certificates_free(STACK_OF(X509) * certificates);

bool certificate_is_self_signed(X509 *certificate);

typedef enum ChainState {
        CHAIN_TRUSTED,     /* leads to an authority in the store of trusted certificates */
        CHAIN_SELF_SIGNED, /* a single certificate that signs itself */
        CHAIN_UNTRUSTED,   /* apparently complete, but its authority is not in the store */
        CHAIN_INCOMPLETE,  /* an issuer is missing */
} ChainState;

#define CHAIN_MAX 32

/* A chain begins with the leaf, the site's own certificate. Each certificate is followed by its
 * issuer. The certificates belong to the stack that was passed to chain_judge(), so the stack must
 * outlive the chain. */
typedef struct Chain {
        ChainState state;
        bool in_order;           /* the stack begins with the chain, in the chain's order */
        X509 *linked[CHAIN_MAX]; /* the certificates of the chain */
        int n;
        X509 *leaf; /* the first one in linked */
        X509 *last; /* the last one in linked: self-signed, or its issuer is not in the stack */
} Chain;

/* Finds the chain in the certificates, of which there must be at least one. key: the key of the
 * leaf, or NULL if it is unknown. Without a key, the first certificate that does not belong to an
 * authority is the leaf. store: the trusted certificates. */
Chain chain_judge(STACK_OF(X509) * certificates, EVP_PKEY *key, X509_STORE *store);

typedef enum Validity {
        VALIDITY_GOOD,
        VALIDITY_NOT_YET,
        VALIDITY_ENDS_SOON, /* less than 30 days, and less than a third of its lifetime, remain */
        VALIDITY_OVER,
} Validity;

Validity certificate_validity(const X509 *certificate, time_t now);
time_t certificate_not_before(const X509 *certificate);
time_t certificate_not_after(const X509 *certificate);

/* Whether the certificate is valid for the host. The host "*.example" stands for all hosts with one
 * label before ".example". */
bool certificate_covers(X509 *certificate, const char *host);

/* Whether the certificate is valid for all names of the other certificate. */
bool certificate_covers_names(X509 *certificate, X509 *other);

/* Whether the certificate is valid for each host of the instance for which the other certificate
 * is valid. If clients can also use hosts that are not in hosts (hosts_are_open()), the first
 * certificate must be valid for all names of the other certificate. */
bool certificate_covers_like(X509 *certificate, X509 *other, const Hosts *hosts,
                             const Instance *instance);

/* Describes the weakness of a certificate, for people. NULL: the certificate is strong enough. */
const char *certificate_weakness(X509 *certificate);

/* These functions return strings, to be freed. NULL: the certificate does not have the value, or
 * memory ran out. */
char *certificate_subject(X509 *certificate);
char *certificate_issuer(X509 *certificate);
char *certificate_names(X509 *certificate);    /* hosts and addresses, one per line */
char *certificate_key_type(X509 *certificate); /* "EC P-256", "RSA 2048" */
char *certificate_signature(X509 *certificate);
char *certificate_serial(X509 *certificate);
char *certificate_fingerprint(X509 *certificate); /* SHA-256 */
char *certificate_issuer_url(X509 *certificate);  /* the URL of its issuer's certificate */
