/* SPDX-License-Identifier: MIT */
/* Reads the configuration again in a thread, which also frees what it replaces. */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "metrics/metrics.h"

typedef struct Reload Reload;

#define RELOAD_NOTE_MAX 400

typedef struct ReloadHooks {
        /* Takes a configuration into force, which stays Reload's; the last one must not be used
         * any more. After an error all is as it was. */
        int (*use)(void *userdata, const Config *config);
        /* A reload is over; is_last: no other one follows at once. */
        void (*on_end)(void *userdata, ReloadResult result, bool is_last);
} ReloadHooks;

/* Reads the configuration for the first time. dir: its folder, which must live as long. */
int reload_new(sd_event *event, const char *dir, const ReloadHooks *hooks, void *userdata,
               Reload **ret);

/* Frees the configuration in force too, unless the thread still needs it after a moment, for
 * example because the user database does not answer. Returns NULL. */
Reload *reload_free(Reload *reload);

/* Reads it again; if that is under way, once more after it. */
void reload_request(Reload *reload);

/* What there is to say about the configuration in the status, or "". */
const char *reload_note(const Reload *reload);

typedef struct ReloadAnswer {
        ReloadResult result;
        char text[RELOAD_NOTE_MAX + 1]; /* the note */
} ReloadAnswer;

/* The other side: asks a running router for a reload, and waits until it is over. */
int reload_ask(pid_t router, ReloadAnswer *ret);
