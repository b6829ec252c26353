/* SPDX-License-Identifier: MIT */
/*
 * Reading the configuration anew while the event loop goes on: files are read and the old
 * configuration is freed in a thread; the loop only swaps the two.
 */
#pragma once

#include "config/config.h"

typedef struct Reload Reload;
typedef struct Router Router;

/* What has become of a reload. */
typedef enum ReloadResult {
        RELOAD_USED,
        RELOAD_USED_WITH_ERRORS, /* but for what is wrong */
        RELOAD_FAILED,           /* the old configuration is in force */
        RELOAD_RESULT_COUNT,
} ReloadResult;

const char *reload_result_name(ReloadResult result);

/* In $RUNTIME_DIRECTORY, for who has asked for the reload:
 * "BEGIN_USEC=...\nRESULT=...\nTEXT=...\n" */
#define RELOAD_FILE "reload"

int reload_new(Router *router, Reload **ret);

/* Returns NULL. After reload_is_busy(); leaves the thread what it is busy with. */
Reload *reload_free(Reload *reload);

/* Reads the configuration for the first time, here and now. */
int reload_first(Reload *reload);

/* Reads it anew. While that is under way, one more time behind it. */
void reload_request(Reload *reload);

/* What there is to say about the configuration in the status, or "". */
const char *reload_note(const Reload *reload);

/* Waits a moment for the thread. True: it goes on, for example because the user database does not
 * answer, and the configuration in force must not be freed. */
bool reload_is_busy(Reload *reload);
