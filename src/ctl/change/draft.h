/* SPDX-License-Identifier: MIT */
/*
 * The file of an instance before it is written: the settings of add and set must be valid together.
 * The functions print errors themselves.
 */
#pragma once

#include "config/acme-settings.h"
#include "config/instance.h"
#include "ctl/change/change.h"
#include "ctl/change/files.h"

typedef struct Draft {
        const char *name;
        InstanceDraft parsed;
        Config *problems; /* the mistakes in the text */
} Draft;

/* Parses the text; always call draft_done(). */
CtlStatus draft_parse(Draft *draft, const char *name, const char *path, Span text);
void draft_done(Draft *draft);

/* Whether both drafts have the same settings, in any form and order. False without memory. */
bool draft_is_same(const Draft *a, const Draft *b);

/* False: a value of an option would change its meaning in a file. */
bool draft_takes_values(const Ctl *ctl);

/* Checks that the hosts, addresses and Default= do not lead to another instance of config. Adds
 * them to config->map as routes without an owner, for others_reload(). */
CtlStatus draft_check_conflicts(const Draft *draft, const Config *config);

/* Whether the hosts and the authority are the same, so one certificate fits both. */
bool draft_has_same_certificate(const Draft *a, const Draft *b);

/* With Tls=acme: checks that there is a host for a certificate and that the authority exists. *ret:
 * the type of key for a new instance, always set. */
CtlStatus draft_check_acme(const Draft *draft, const Ctl *ctl, AcmeKeyType *ret);

/* Whether this machine has the server. */
CtlStatus draft_check_server(const Draft *draft);

/* Warns if the document root has .htaccess files: nginx sends files that they forbid. */
void draft_say_ignored(const Draft *draft, const Ctl *ctl);

/* Removes the present routes and Default= of an instance from config, before those of the draft
 * replace them. Returns 0 or -ENOMEM. */
int draft_replaces(Config *config, uint32_t instance);

/* Whether the instance will have HTTPS if it does not serve plain HTTP. has_pair: there is a
 * certificate, or will be. advice: the end of the message, how to get a certificate, without the
 * name. */
CtlStatus draft_check_https(const Draft *draft, const Change *change, bool has_pair,
                            const char *advice);
