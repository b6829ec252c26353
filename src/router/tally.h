/* SPDX-License-Identifier: MIT */
/* Reports to bellhop-usage which connection belongs to which instance, several at a time. Never
 * waits: it counts the reports that it can't send, and later sends their number. */
#pragma once

#include <systemd/sd-event.h>

#include "usage/message.h"

/* The maximum of records that wait while bellhop-usage does not receive. */
#define TALLY_MAX 1024

typedef struct Tally {
        sd_event *event;         /* not owned, like the next two */
        const char *runtime_dir; /* of the socket */
        uint64_t *lost;          /* a counter */
        int fd;
        uint64_t next_usec;     /* when to try again to connect */
        uint64_t told_usec;     /* when the last message was sent */
        sd_event_source *flush; /* enabled when something was noted */
        sd_event_source *retry; /* enabled when a report could not be sent, or not yet */
        UsageRecord records[TALLY_MAX];
        size_t n;
        uint64_t n_untold; /* lost, and not yet reported to bellhop-usage */
} Tally;

/* Set the first three fields before, and fd to a negative number. Returns 0 or a negative errno. */
int tally_init(Tally *tally);
/* Sends the rest, with a mark that this was all. */
void tally_done(Tally *tally);

/* fd: the connection, which has been handed off to the instance of that name. n_received: bytes
 * that it had received, or fewer. */
void tally_note(Tally *tally, int fd, const char *instance, uint64_t n_received);
