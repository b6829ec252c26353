/* SPDX-License-Identifier: MIT */
/*
 * Commands that mend what is in a customer's folders. An administrator will run them as root,
 * later, and the customer can change there what he likes in the meantime: so they follow no link of
 * his with more rights than he has, and give him nothing that is not his. All results are to be
 * freed; NULL: no memory, or no command.
 */
#pragma once

#include "ctl/ask/certificate.h"
#include "ctl/check/check.h"

/* The files of one site, and what could be read of them. */
typedef struct Pair {
        char certificate_path[PATH_MAX];
        char key_path[PATH_MAX];
        STACK_OF(X509) * certificates; /* NULL: could not be read */
        EVP_PKEY *key;                 /* NULL: same */
        bool is_key_sealed;            /* by systemd-creds(1): only systemd can read it */
} Pair;

bool pair_init(Pair *pair, const Site *site);
void pair_done(Pair *pair);

/* A certificate that nobody vouches for, which at least works. */
char *cure_self_signed(const Check *check, const Site *site, bool replace);

/* A new one: self-signed if this one is, else what an authority must be asked for. */
char *cure_new_certificate(const Check *check, const Site *site, X509 *leaf);

char *cure_unreadable(const Check *check, const Site *site, const AccessQuestion *question);
char *cure_exposed_key(const Check *check, const Site *site, const Pair *pair);
char *cure_encrypted_key(const Site *site, const Pair *pair);
char *cure_order(const Site *site, const Pair *pair, const Chain *chain);
char *cure_incomplete(const Site *site, const Pair *pair, const Chain *chain);

char *cure_no_document_root(const Site *site);
char *cure_closed_document_root(const Site *site, const char *path, const AccessQuestion *question);
char *cure_open_document_root(const Site *site, const char *path);

char *cure_closed_snippet(const Site *site, const char *path);
char *cure_snippet_line(const Site *site, const char *path, unsigned line);
