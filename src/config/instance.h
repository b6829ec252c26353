/* SPDX-License-Identifier: MIT */
/* Reads the files of instances: instance.c parses one file, instances.c checks users and merges
 * routes. */
#pragma once

#include "config/settings.h"

typedef struct InstanceDraft {
        Instance instance;
        HostMap *routes; /* the origin of a route is its line in the file */
        unsigned canonical_line;
} InstanceDraft;

/* Parses the text of NAME.conf; file->n_problems counts its mistakes. Returns 0 or a negative
 * errno; call instance_draft_done() in both cases. */
int instance_draft_parse(InstanceDraft *draft, SettingsFile *file, const char *name, Span text);
/* Makes the checks that are possible only after the whole file is parsed. */
int instance_draft_check(const InstanceDraft *draft, SettingsFile *file);
/* Whether Canonical= is one of the exact hosts, or is not set. */
bool instance_has_canonical(const InstanceDraft *draft);
void instance_draft_done(InstanceDraft *draft);

/* In Config.map, the origin of a route consists of the number of its instance and the line in the
 * file. If the file has a mistake and no old settings are kept, its routes are withheld: they lead
 * to no instance, and their origin has the number of a problem instead of the number of an
 * instance. */
#define ORIGIN_LINE_BITS 32
#define ORIGIN_WITHHELD  (UINT64_C(1) << 63)

/* Reads all files in DIR/instances. check, old: as in config_load(). Returns 0 or a negative
 * errno. */
int instances_load(Config *config, const char *dir, ConfigUsers check, const Config *old);

/* Reads only DIR/instances/NAME.conf, which may not exist. Returns 0 or a negative errno. */
int instances_load_one(Config *config, const char *dir, const char *name);
