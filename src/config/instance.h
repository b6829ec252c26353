/* SPDX-License-Identifier: MIT */
/* The file of one instance: the keys of bellhop.instance(5), not yet compared with other files. */
#pragma once

#include "config/settings.h"

typedef struct InstanceDraft {
        Instance instance;
        HostMap *routes; /* origin: the line */
} InstanceDraft;

/* Parses the text of NAME.conf; file->n_problems counts its mistakes. Returns 0 or a negative
 * errno; instance_draft_done() is needed in both cases. */
int instance_draft_parse(InstanceDraft *draft, SettingsFile *file, const char *name, Span text);
void instance_draft_done(InstanceDraft *draft);
