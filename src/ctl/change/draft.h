/* SPDX-License-Identifier: MIT */
/*
 * Checks the file of an instance before add or set writes it: all settings must be valid together.
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

/* Whether both drafts have the same settings, even if these have another form or order in the
 * text. Also false if there is no memory. */
bool draft_is_same(const Draft *a, const Draft *b);

/* Whether all values of options keep their meaning when they are written to a file. */
bool draft_takes_values(const Ctl *ctl);

/* Checks that the hosts, addresses and Default= do not lead to another instance of config. Adds
 * these routes to config->map, without an instance, because others_reload() needs them there. */
CtlStatus draft_check_conflicts(const Draft *draft, const Config *config);

/* Whether the hosts and the authority are the same, so that one certificate fits both drafts. */
bool draft_has_same_certificate(const Draft *a, const Draft *b);

/* If the draft has Tls=acme, checks that it has a host for a certificate, and that the authority
 * exists. Always sets *ret: the type of key for a new instance. */
CtlStatus draft_check_acme(const Draft *draft, const Ctl *ctl, AcmeKeyType *ret);

/* Checks that the draft's server, Apache or nginx, is installed. */
CtlStatus draft_check_server(const Draft *draft);

/* If the draft has Server=nginx, warns if the document root has .htaccess files, because nginx
 * ignores them. */
void draft_say_ignored(const Draft *draft, const Ctl *ctl);

/* Removes the present routes and Default= of an instance from config, before those of the draft
 * replace them. Returns 0 or -ENOMEM. */
int draft_replaces(Config *config, uint32_t instance);

/* Checks that an instance that does not serve plain HTTP has HTTPS. has_pair: there is a
 * certificate, or will be. advice: the words in the message before the command that installs a
 * certificate. */
CtlStatus draft_check_https(const Draft *draft, const Change *change, bool has_pair,
                            const char *advice);
