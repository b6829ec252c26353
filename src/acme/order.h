/* SPDX-License-Identifier: MIT */
/* One try to get or renew the certificate of an instance, in a process of its own, which waits. */
#pragma once

#include <stddef.h>

typedef struct AcmeOrder {
        const char *name;      /* of the instance */
        const char *authority; /* Acme= */
        const char *wanted;    /* AcmeState.wanted */
        char *const *hosts;    /* canonical, or "*." and a suffix */
        size_t n_hosts;
        const char *config_dir, *state_dir;
        const char *challenges;  /* the folder of pending challenges */
        const char *cert_socket; /* of bellhop-cert */
        const char *hook;        /* for uacme */
} AcmeOrder;

/* As the exit status of the process. */
typedef enum AcmeResult {
        ACME_TRIED = 0,       /* the state of the instance says how it went */
        ACME_LIMITED = 3,     /* the authority takes no more orders for a while */
        ACME_UNREACHABLE = 4, /* it does not answer; that is not counted as a try */
} AcmeResult;

AcmeResult acme_order_run(const AcmeOrder *order);
