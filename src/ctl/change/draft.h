/* SPDX-License-Identifier: MIT */
/*
 * A draft is the text of an instance's file that bellhopctl add or bellhopctl set is going to
 * write. These functions parse it, and check that all settings are valid together. They print
 * errors themselves.
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

/* Whether both drafts have the same settings. The form and the order of the settings in the text do
 * not matter. Also false if memory runs out. */
bool draft_is_same(const Draft *a, const Draft *b);

/* Checks that no value of an option contains a line break or '#', which would have a special
 * meaning in a file. */
bool draft_takes_values(const Ctl *ctl);

/* Checks that the canonical host is one of the draft's hosts, and that no other instance in config
 * has a host, an address or the Default= of the draft. Adds the draft's hosts and addresses to
 * config->map, because others_reload() needs them there. */
CtlStatus draft_check_conflicts(const Draft *draft, const Config *config);

/* Whether both drafts have the same hosts, Tls= and Acme=, so that one certificate fits both. */
bool draft_has_same_certificate(const Draft *a, const Draft *b);

/* If the draft has Tls=acme, checks that it has a host, and that the settings of its authority are
 * valid. Always sets *ret to the type, EC or RSA, that a new key gets. */
CtlStatus draft_check_acme(const Draft *draft, const Ctl *ctl, AcmeKeyType *ret);

/* Checks that the draft's server, Apache or nginx, is installed. */
CtlStatus draft_check_server(const Draft *draft);

/* Warns if the draft has Server=nginx and its document root has .htaccess files, because nginx
 * ignores them. */
void draft_say_ignored(const Draft *draft, const Ctl *ctl);

/* Removes the present routes and Default= of an instance from config, because those of a draft will
 * replace them. Returns 0 or -ENOMEM. */
int draft_replaces(Config *config, uint32_t instance);

/* Checks that an instance that does not serve plain HTTP has HTTPS. has_pair: the instance has a
 * certificate and its key, or will have them. advice: the error message shows this text before the
 * command that installs a certificate. */
CtlStatus draft_check_https(const Draft *draft, const Change *change, bool has_pair,
                            const char *advice);
