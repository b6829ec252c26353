/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes DIR/instances/NAME, the file in which bellhop-acme(8) keeps its state for the
 * certificate of one instance. All users can read this file. Times are in seconds since 1970, or 0
 * for never or unknown.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACME_STATE_DIR "/var/lib/bellhop-acme"

#define ACME_ORDERS_MAX 100 /* the maximum of OrdersPerWeekPerInstance= */
#define ACME_DIGEST_MAX 64  /* SHA-256 in hexadecimal */
#define ACME_URL_MAX    511

/* A host that the certificate does not have. */
typedef struct AcmeFailure {
        char *host;
        char *reason;    /* for people: the error, and advice */
        bool is_refused; /* by the authority; false: bellhop-acme's own check failed */
} AcmeFailure;

typedef struct AcmeState {
        uint64_t not_before, not_after;   /* of the certificate from bellhop-acme */
        uint64_t next;                    /* the next try, or the renewal */
        uint64_t tried;                   /* the end of the last try */
        uint64_t n_failures;              /* failed tries since the last certificate */
        uint64_t orders[ACME_ORDERS_MAX]; /* when the orders of the last week began; oldest first */
        size_t n_orders;
        char certificate[ACME_DIGEST_MAX + 1]; /* SHA-256 of the certificate; "": there is none */
        char authority[ACME_URL_MAX + 1];      /* URL of the directory of the authority that signed
                                                  the certificate */
        char recalled[ACME_DIGEST_MAX + 1]; /* SHA-256 of a certificate that the authority asks to
                                               renew early; "": none */
        char wanted[ACME_DIGEST_MAX + 1]; /* digest of the hosts, authority and settings of the last
                                             try */
        char *error;                      /* of the last try as a whole; NULL: none */
        AcmeFailure *failures;            /* refused hosts in the order of their last refusal */
        size_t n_failures_of_hosts;
} AcmeState;

/* Reads the file. If it is missing or damaged, *ret is the state in which nothing was tried yet.
 * Returns 0, -ENOENT if the file is missing, or another negative errno. In all cases, *ret is set;
 * free it with acme_state_done(). */
int acme_state_read(const char *dir, const char *name, AcmeState *ret);

/* Writes the file, whole or not at all. */
int acme_state_write(const char *dir, const char *name, const AcmeState *state);

void acme_state_done(AcmeState *state);

/* Copies the text to state->error, and makes the copy one line that is harmless for terminals. If
 * text is NULL or memory runs out, state->error becomes NULL. */
void acme_state_set_error(AcmeState *state, const char *text);
/* Appends a failure of the host, and removes an earlier one. Returns 0 or -ENOMEM. */
int acme_state_add_failure(AcmeState *state, const char *host, const char *reason, bool is_refused);
void acme_state_forget_failure(AcmeState *state, const char *host);
/* Returns NULL if the host did not fail. */
const AcmeFailure *acme_state_failure_of(const AcmeState *state, const char *host);

/* Counts the orders in the week before now. Removes older orders, and orders whose time is in the
 * future because the clock was wrong. */
size_t acme_state_count_orders(AcmeState *state, uint64_t now);
void acme_state_add_order(AcmeState *state, uint64_t now);
