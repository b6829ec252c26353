/* SPDX-License-Identifier: MIT */
/* The main part of bellhop-mail: accepts connections of customers, and decides which session passes
 * on its message next. */
#pragma once

#include <sys/queue.h>

#include "config/mail-settings.h"
#include "mail/budget.h"
#include "mail/relay.h"
#include "util/notify.h"

typedef struct Session Session;

typedef struct Door {
        const char *config_dir, *state_dir;
        int listen_fd; /* the door owns it while it runs */
        sd_event *event;
        Notify notify;
        MailSettings settings;
        Budget budget;
        LIST_HEAD(, Session) sessions;
        size_t n_sessions;
        TAILQ_HEAD(, Session) waiting; /* sessions that wait for their turn to pass on a message */
        size_t n_relays;               /* connections to the mail server */
        uint64_t n_stored;             /* bytes of messages in progress */
        sd_event_source *save;         /* enabled while there is something to write */
        LogLimit log, relay_log;       /* limits for lines that customers can cause */
} Door;

/* Reads settings and budget, and runs until a signal ends it. Logs errors. */
int door_run(Door *door);

/* Checks whether a user may send now. Returns the index of the customer in the budget. Otherwise
 * replies to the program, and returns a negative errno. */
int door_admit(Door *door, int fd, uid_t uid, MailLimits *ret);

/* Call it after a change of the budget. Writes the budget soon. */
void door_save_later(Door *door);

/* Logs a line about a customer. The limit is necessary because customers can cause any number of
 * lines. */
void door_log(Door *door, LogLimit *limit, const char *instance, const char *text);

/* Starts as many of the waiting sessions as RelayConnectionsMax= allows. */
void door_next(Door *door);
