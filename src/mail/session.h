/* SPDX-License-Identifier: MIT */
/* The conversation with one program of a customer: receives each message completely, and answers
 * when the mail server has answered. */
#pragma once

#include "mail/door.h"

typedef enum SessionPhase {
        SESSION_COMMANDS,
        SESSION_BODY,
        SESSION_WAITS,  /* its message is complete; it waits for its turn */
        SESSION_RELAYS, /* its message is passed on */
        SESSION_ENDS,
} SessionPhase;

struct Session {
        Door *door;
        int fd;
        uid_t uid;
        int site; /* index in the budget */
        char name[BUDGET_NAME_MAX];
        MailLimits limits;
        sd_event_source *source, *timer;
        SessionPhase phase;
        unsigned n_commands; /* since the last message */
        bool has_message;    /* MAIL was accepted; the next fields are about this message */
        time_t charged;
        Message message;
        SmtpBody body;
        const char *refusal; /* the reply that refuses the message; NULL: pass it on */
        Relay relay;
        size_t n_in;
        uint8_t in[4 * SMTP_LINE_MAX];
        LIST_ENTRY(Session) link;
        TAILQ_ENTRY(Session) queue;
};

/* Starts a session for a customer who may connect. The session frees itself at its end. On failure,
 * fd is closed. */
int session_new_consume(Door *door, int fd, uid_t uid, int site, const MailLimits *limits);

/* Passes on the message of a session whose turn it is. */
void session_relay(Session *session);

/* Sends a last reply to the program, and frees the session. */
void session_end(Session *session, const char *reply);

void session_free(Session *session);
