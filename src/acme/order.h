/* SPDX-License-Identifier: MIT */
/* Tries once to get or renew the certificate of an instance. Each try runs in its own process, so
 * these functions may wait. */
#pragma once

#include <stddef.h>

typedef struct AcmeOrder {
        const char *name;      /* the instance */
        const char *authority; /* Acme= */
        const char *wanted;    /* becomes AcmeState.wanted (state.h) */
        char *const *hosts;    /* in canonical form, or "*." and a suffix */
        size_t n_hosts;
        uint64_t orders_max; /* of this try, at least 1 */
        const char *config_dir, *state_dir;
        const char *challenges;  /* the folder of pending challenges */
        const char *cert_socket; /* of bellhop-cert */
        const char *hook;        /* for uacme */
} AcmeOrder;

/* The result of a try: the exit status of its process. */
typedef enum AcmeResult {
        ACME_TRIED = 0,    /* the state of the instance has the result */
        ACME_ANSWERED = 2, /* the state has the result, and the authority has answered */
        ACME_PAUSE = 3,    /* the authority can't be reached, takes no more orders, or does not know
                            * our account */
} AcmeResult;

AcmeResult acme_order_run(const AcmeOrder *order);

/* Removes the stored files of an instance's orders. */
void acme_order_forget(const char *state_dir, const char *name);
