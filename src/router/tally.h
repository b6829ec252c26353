/* SPDX-License-Identifier: MIT */
/* Reports to bellhop-usage which connection belongs to which instance, several connections in one
 * message. Never waits: while bellhop-usage does not receive messages, up to TALLY_MAX reports are
 * kept. Further reports are lost, but they are counted, and their number is sent later. */
#pragma once

#include <systemd/sd-event.h>

#include "usage/message.h"

/* The largest number of reports that wait while bellhop-usage does not receive them. */
#define TALLY_MAX 1024

typedef struct Tally {
        sd_event *event;         /* not owned, like the next two */
        const char *runtime_dir; /* the folder of the socket */
        uint64_t *lost;          /* counts lost reports */
        int fd;
        uint64_t next_usec;     /* the earliest time of the next attempt to connect */
        uint64_t told_usec;     /* when the last message was sent */
        sd_event_source *flush; /* enabled when something was noted */
        sd_event_source *retry; /* enabled when reports must be sent later */
        UsageRecord records[TALLY_MAX];
        size_t n;
        uint64_t n_untold; /* lost records that were not yet reported to bellhop-usage */
} Tally;

/* Before the call, set the first three fields, and set fd to a negative number. Returns 0 or a
 * negative errno. */
int tally_init(Tally *tally);
/* Sends the remaining reports, and then a message which says that no more will follow. */
void tally_done(Tally *tally);

/* Notes that the connection fd was handed off to the instance with this name. By then, the
 * connection had received at least n_received bytes. */
void tally_note(Tally *tally, int fd, const char *instance, uint64_t n_received);
