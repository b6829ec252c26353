/* SPDX-License-Identifier: MIT */
/* Tells bellhop-usage which connection belongs to which instance, several at a time. Waits for
 * nobody: what can't be told is counted, and bellhop-usage told how many that were. */
#pragma once

#include <systemd/sd-event.h>

#include "usage/message.h"

/* Records that wait while bellhop-usage does not receive. */
#define TALLY_MAX 1024

typedef struct Tally {
        sd_event *event;         /* not owned, like the next two */
        const char *runtime_dir; /* of the socket */
        uint64_t *lost;          /* a counter */
        int fd;
        uint64_t next_usec;     /* when to try again to connect */
        uint64_t told_usec;     /* when the last message was sent */
        sd_event_source *flush; /* enabled when something has been noted */
        sd_event_source *retry; /* and when it could not be told, or not yet */
        UsageRecord records[TALLY_MAX];
        size_t n;
        uint64_t n_untold; /* lost, and bellhop-usage has yet to hear of it */
} Tally;

/* The first three fields are set before, and fd is negative. Returns 0 or a negative errno. */
int tally_init(Tally *tally);
/* Tells what is left, and that this was all. */
void tally_done(Tally *tally);

/* fd: the connection, which has been handed off to the instance of that name. n_received: bytes
 * that it had received, or fewer. */
void tally_note(Tally *tally, int fd, const char *instance, uint64_t n_received);
