/* SPDX-License-Identifier: MIT */
/* The main part of bellhop-mail: accepts connections from customers' programs, and makes a session
 * for each. Decides which session passes on its message to the mail server next. */
#pragma once

#include <sys/queue.h>

#include "config/mail-settings.h"
#include "mail/budget.h"
#include "mail/relay.h"
#include "util/notify.h"

typedef struct Session Session;

typedef struct Door {
        const char *config_dir, *state_dir;
        int listen_fd; /* the inherited socket */
        sd_event *event;
        Notify notify;
        MailSettings settings;
        Budget budget;
        LIST_HEAD(, Session) sessions;
        size_t n_sessions;
        TAILQ_HEAD(, Session) waiting; /* sessions that wait for their turn to pass on a message */
        size_t n_relays;               /* connections to the mail server */
        uint64_t n_stored;             /* bytes of messages in progress */
        sd_event_source *save;   /* writes the budget; enabled while there is something to write */
        LogLimit log, relay_log; /* limit log lines that customers can cause */
} Door;

/* Reads settings and budget, and runs until a signal ends it. Logs errors. */
int door_run(Door *door);

/* Checks whether a user is a customer who may send now. If so, returns the index of the customer in
 * the budget. If not, sends the reason to the program through fd, and returns a negative errno. */
int door_admit(Door *door, int fd, uid_t uid, MailLimits *ret);

/* Writes the budget to its file soon. Call it after a change of the budget. */
void door_save_later(Door *door);

/* Logs a line, but at most one in ten minutes for each limit, because customers can cause any
 * number of lines. instance: NULL if the line is not about one customer. */
void door_log(Door *door, LogLimit *limit, const char *instance, const char *text);

/* Passes on the messages of as many waiting sessions as RelayConnectionsMax= allows. */
void door_next(Door *door);
