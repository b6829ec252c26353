/* SPDX-License-Identifier: MIT */
/* The files of instances: instance.c parses one, instances.c checks users and merges routes. */
#pragma once

#include "config/settings.h"

typedef struct InstanceDraft {
        Instance instance;
        HostMap *routes; /* origin: the line */
        unsigned canonical_line;
} InstanceDraft;

/* Parses the text of NAME.conf; file->n_problems counts its mistakes. Returns 0 or a negative
 * errno; instance_draft_done() is needed in both cases. */
int instance_draft_parse(InstanceDraft *draft, SettingsFile *file, const char *name, Span text);
/* Checks for problems that only the file as a whole can have. */
int instance_draft_check(const InstanceDraft *draft, SettingsFile *file);
/* Whether Canonical= is one of the exact hosts, or is not set. */
bool instance_has_canonical(const InstanceDraft *draft);
void instance_draft_done(InstanceDraft *draft);

/* The origin of a route of Config.map: instance number and line. If the route is withheld: problem
 * number and line. */
#define ORIGIN_LINE_BITS 32
#define ORIGIN_WITHHELD  (UINT64_C(1) << 63)

/* All of DIR/instances. old: as for config_load(). Returns 0 or a negative errno. */
int instances_load(Config *config, const char *dir, ConfigUsers check, const Config *old);

/* DIR/instances/NAME.conf alone, which may not exist. Returns 0 or a negative errno. */
int instances_load_one(Config *config, const char *dir, const char *name);
