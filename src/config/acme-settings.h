/* SPDX-License-Identifier: MIT */
/* Reads DIR/acme/NAME.conf, the settings of bellhop-acme for one certificate authority. */
#pragma once

#include "config/config.h"

#define ACME_TEXT_MAX      511
#define ACME_ADDRESSES_MAX 64

typedef enum AcmeKeyType {
        ACME_KEY_EC,  /* ECDSA, P-256 */
        ACME_KEY_RSA, /* 2048 bits */
} AcmeKeyType;

#define ACME_KEY_TYPES (ACME_KEY_RSA + 1)

/* The names of the types in KeyType=. */
extern const char *const acme_key_type_names[ACME_KEY_TYPES];

/* The ways to prove control of a host (RFC 8555 section 8, RFC 8737). */
typedef enum AcmeChallenge {
        ACME_HTTP_01,
        ACME_TLS_ALPN_01,
        ACME_DNS_01,
} AcmeChallenge;

#define ACME_CHALLENGES (ACME_DNS_01 + 1)

/* The names of the challenges in Challenges=. */
extern const char *const acme_challenge_names[ACME_CHALLENGES];

/* The settings of bellhop.acme.conf(5). */
typedef struct AcmeSettings {
        char directory[ACME_TEXT_MAX + 1];        /* URL of the authority's directory */
        char contact[ACME_TEXT_MAX + 1];          /* a mail address; "": none */
        char external_account[ACME_TEXT_MAX + 1]; /* path of a file with "KEYID:KEY"; "": none */
        char dns_hook[ACME_TEXT_MAX + 1];         /* path of a program; "": none */
        char caa[ACME_TEXT_MAX + 1]; /* the authority's domain in CAA records; "": unknown */
        AcmeKeyType key_type;        /* the type of new keys */
        bool challenges[ACME_CHALLENGES];
        bool checks_names; /* bellhop-acme checks each host before it orders a certificate */
        struct in6_addr addresses[ACME_ADDRESSES_MAX]; /* addresses that another device forwards to
                                                          this machine */
        size_t n_addresses;
        uint64_t orders_per_hour;              /* for all instances together */
        uint64_t orders_per_week_per_instance; /* failed orders count, too */
        uint64_t orders_max;                   /* the most orders at the same time */
        uint64_t order_timeout_usec;
        uint64_t retry_usec, retry_max_usec; /* first and longest pause after a failure */
} AcmeSettings;

/* Sets the defaults, then reads DIR/acme/NAME.conf. A file with a mistake changes no setting, and
 * its problems are added to config. Returns 0; -ENOENT if there is no such file; -EINVAL if the
 * file has mistakes; or another negative errno. */
int acme_settings_load(Config *config, const char *dir, const char *name, AcmeSettings *ret);
