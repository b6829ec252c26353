/* SPDX-License-Identifier: MIT */
/* A relay passes one message to the machine's mail server over SMTP. It never retries. Does not
 * log. */
#pragma once

#include <systemd/sd-event.h>

#include "mail/smtp.h"
#include "util/address.h"

typedef struct Message {
        char *sender;
        char (*recipients)[SMTP_ADDRESS_MAX + 1];
        size_t n_recipients;
        int fd;        /* file: the message as the server gets it, with the dot at its end */
        uint64_t size; /* size of this file in bytes */
} Message;

typedef enum RelayResult {
        RELAY_SENT,
        RELAY_NOT_SENT,
        RELAY_UNKNOWN, /* the server got the whole message, but did not answer */
} RelayResult;

#define RELAY_REPLY_MAX 512

typedef struct Relay {
        const Message *message;
        const char *name; /* of this machine */
        int fd;
        sd_event_source *source;
        enum {
                RELAY_GREETING,
                RELAY_EHLO,
                RELAY_MAIL,
                RELAY_RCPT,
                RELAY_DATA,
                RELAY_BODY,
                RELAY_DOT,
        } step;
        size_t n_named; /* number of recipients that were sent to the server */
        off_t n_body;   /* bytes of the message that were sent */
        size_t n_in;
        uint8_t in[SMTP_LINE_MAX + 2];
        char reply[RELAY_REPLY_MAX]; /* server's last reply, or an error in the form of a reply
                                      */
        void (*on_end)(struct Relay *relay, RelayResult result, void *userdata);
        void *userdata;
} Relay;

/* Connects to the server. Set message, name, on_end and userdata of relay first. Returns 0 or a
 * negative errno. If it returns 0, on_end() is called once later, unless relay_done() is called
 * first. */
int relay_start(Relay *relay, sd_event *event, const Address *to);

/* Returns the result for a relay that ends now, without another reply. */
RelayResult relay_result(const Relay *relay);

void relay_done(Relay *relay);
