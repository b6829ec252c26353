/* SPDX-License-Identifier: MIT */
/* One instance file, not yet seen beside the others. */
#pragma once

#include "config/settings.h"

typedef struct InstanceDraft {
        Instance instance;
        HostMap *routes; /* origin: the line */
} InstanceDraft;

/* Parses the text of NAME.conf. What is wrong is in file->n_problems. Returns 0 or a negative
 * errno. */
int instance_draft_parse(InstanceDraft *draft, SettingsFile *file, const char *name, Span text);
void instance_draft_done(InstanceDraft *draft);
