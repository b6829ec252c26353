/* SPDX-License-Identifier: MIT */
/* The conversation with one program of a customer's: its messages are taken in whole, and answered
 * when the mail server has answered. */
#pragma once

#include "mail/door.h"

typedef enum SessionPhase {
        SESSION_COMMANDS,
        SESSION_BODY,
        SESSION_WAITS,  /* its message is whole; it has no turn yet */
        SESSION_RELAYS, /* its message is passed on */
        SESSION_ENDS,
} SessionPhase;

struct Session {
        Door *door;
        int fd;
        uid_t uid;
        int site; /* in the budget */
        char name[BUDGET_NAME_MAX];
        MailLimits limits;
        sd_event_source *source, *timer;
        SessionPhase phase;
        unsigned n_commands; /* since the last message */
        bool has_message;    /* MAIL has been accepted; all from here on is of the message */
        time_t charged;
        Message message;
        SmtpBody body;
        const char *refusal; /* the reply to the message at its end; NULL: it is passed on */
        Relay relay;
        size_t n_in;
        uint8_t in[4 * SMTP_LINE_MAX];
        LIST_ENTRY(Session) link;
        TAILQ_ENTRY(Session) queue;
};

/* For a customer who may connect. The session frees itself at its end. Closes fd if it fails. */
int session_new_consume(Door *door, int fd, uid_t uid, int site, const MailLimits *limits);

/* It is its turn. */
void session_relay(Session *session);

void session_free(Session *session);
