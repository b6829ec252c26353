/* SPDX-License-Identifier: MIT */
/* What the parts of bellhopctl check share. Each part adds what it finds to the findings. */
#pragma once

#include <limits.h>
#include <openssl/x509.h>
#include <time.h>

#include "config/config.h"
#include "ctl/ask/access.h"
#include "ctl/ask/bus.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/stale.h"
#include "ctl/check/findings.h"
#include "ctl/ctl.h"

/* Does nothing where the site does not run. */
#define RELOAD_SITE "systemctl try-reload-or-restart bellhop@%s.service"

typedef struct Check {
        const Ctl *ctl;
        Config *config;
        Hosts *hosts; /* of each instance */
        Findings findings;
        X509_STORE *store; /* the authorities that this machine trusts */
        sd_bus *bus;       /* NULL: no systemd to ask */
        Units units;       /* all that are called bellhop */
        time_t now;
        uint64_t loaded; /* when the router read its files, as behind.h has it; 0: not known */
        size_t n_needs_root;
} Check;

/* One instance, while it is looked at. */
typedef struct Site {
        const Instance *instance;
        const Hosts *hosts;
        Identity user;
        char tls[PATH_MAX]; /* the folders that are its own */
        char snippets[PATH_MAX];
        size_t n_snippets;
        bool has_credentials; /* systemd passes certificate and key in, from where the pair is */
        bool snippets_unreadable; /* one of them, for the site's user */
        bool sets_document_root;  /* a snippet does */
        bool sets_certificate;    /* a snippet does, for some of its hosts */
        uint64_t changed;         /* the newest of the files that its server reads at its start */
        char changed_file[PATH_MAX];
} Site;

/* What mends it, and bellhopctl apply. To be freed; NULL: no memory, or nothing mends it. */
char *cure_and_apply(const Check *check, const char *mend);

/* bellhopctl apply alone. */
char *cure_apply(const Check *check);

/* Files and folders of the configuration. */
void check_config(Check *check);

/* The folders that an instance's sandbox replaces by its own; NULL ends the list. */
#define REPLACED_MAX 6

typedef struct Replaced {
        char paths[2][PATH_MAX];
        const char *list[REPLACED_MAX];
} Replaced;

void replaced_init(const Check *check, Replaced *ret);

/* Makes it remember the file if none of the others is newer. */
void site_note_file(Site *site, const char *path, const struct stat *st);

/* Certificate and key; document root and snippets. */
void check_tls(Check *check, Site *site);
void look_at_snippets(Check *check, Site *site);
void check_snippets(Check *check, const Site *site);
void check_document_root(Check *check, const Site *site);

/* Units, and whether what is in force is what the files say. */
void check_router_units(Check *check);
void check_site_units(Check *check, const Site *site);

/* Who else has the router's ports. */
void check_ports(Check *check);
