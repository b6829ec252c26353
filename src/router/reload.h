/* SPDX-License-Identifier: MIT */
/* Reads the configuration again in a thread, which also frees the replaced configuration. */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "metrics/metrics.h"

typedef struct Reload Reload;

#define RELOAD_NOTE_MAX 400

typedef struct ReloadHooks {
        /* Puts a configuration into force. Reload owns the configuration. After success, the router
         * no longer uses the previous configuration. After an error, nothing has changed. */
        int (*use)(void *userdata, const Config *config);
        /* Called when a reload has ended. If is_last is false, another reload follows at once. */
        void (*on_end)(void *userdata, ReloadResult result, bool is_last);
} ReloadHooks;

/* Reads the configuration for the first time. dir is its folder; this string must outlive the
 * Reload. */
int reload_new(sd_event *event, const char *dir, const ReloadHooks *hooks, void *userdata,
               Reload **ret);

/* Waits a moment for the thread, then frees everything, including the configuration in force. If
 * the thread is still busy after that, for example because the user database does not answer, frees
 * nothing. Returns NULL. */
Reload *reload_free(Reload *reload);

/* Reads the configuration again. If a reload is running, the next one begins after its end. */
void reload_request(Reload *reload);

/* Returns the part of the router's status that is about the configuration, or "". */
const char *reload_note(const Reload *reload);

typedef struct ReloadAnswer {
        ReloadResult result;
        char text[RELOAD_NOTE_MAX + 1]; /* the same text as that of reload_note() */
} ReloadAnswer;

/* Asks the router process with this pid for a reload, and waits for the end of the reload. */
int reload_ask(pid_t router, ReloadAnswer *ret);
