/* SPDX-License-Identifier: MIT */
/*
 * The file of an instance before it is written: what add and set ask for must be right as a whole.
 * The functions print what is wrong themselves.
 */
#pragma once

#include "config/acme-settings.h"
#include "config/instance.h"
#include "ctl/change/change.h"
#include "ctl/change/files.h"

typedef struct Draft {
        const char *name;
        InstanceDraft parsed;
        Config *problems; /* of the text */
} Draft;

/* Parses the text; draft_done() is needed in each case. */
CtlStatus draft_parse(Draft *draft, const char *name, const char *path, Span text);
void draft_done(Draft *draft);

/* Whether both say the same, in whatever form and order. Without memory to say: false. */
bool draft_is_same(const Draft *a, const Draft *b);

/* False: a value of an option would be something else in a file. */
bool draft_takes_values(const Ctl *ctl);

/* Whether the hosts, addresses and Default= lead to no other instance of config. They become routes
 * of config->map that belong to nobody, for others_reload(). */
CtlStatus draft_check_conflicts(const Draft *draft, const Config *config);

/* Whether the hosts and the authority are the same, so that one certificate does for both. */
bool draft_has_same_certificate(const Draft *a, const Draft *b);

/* With Tls=acme: whether there is a host for a certificate, and the authority. *ret: of the key
 * that a new instance gets, in any case. */
CtlStatus draft_check_acme(const Draft *draft, const Ctl *ctl, AcmeKeyType *ret);

/* Whether this machine has the server. */
CtlStatus draft_check_server(const Draft *draft);

/* What .htaccess files forbid, nginx sends from now on: says so if the document root has any. */
void draft_say_ignored(const Draft *draft, const Ctl *ctl);

/* Takes the routes and Default= that an instance has now out of config, before the draft's come in
 * their place. Returns 0 or -ENOMEM. */
int draft_replaces(Config *config, uint32_t instance);

/* Where plain HTTP is not served, visitors need HTTPS. has_pair: there is a certificate, or will
 * be. advice: how to have one, without the name, at the end of the message. */
CtlStatus draft_check_https(const Draft *draft, const Change *change, bool has_pair,
                            const char *advice);
