/* SPDX-License-Identifier: MIT */
/* The service bellhop-usage: receives messages from the kernel, the router and instances, and adds
 * their numbers to the ledger. */
#pragma once

#include "usage/ledger.h"
#include "util/notify.h"

typedef struct Usage {
        sd_event *event;
        Notify notify;
        Ledger ledger;
        sd_event_source *timer;
        uint64_t interval_usec;
        uid_t router_uid;
        /* Sockets from systemd: */
        int ends_fd;       /* netlink: connections that end */
        int asks_fd;       /* netlink: questions to the kernel */
        int messages_fd;   /* from the router and from root */
        int reports_fd;    /* from instances; negative: none */
        uint64_t n_missed; /* Ledger.n_missed when it was last logged */
} Usage;

/* Runs until a signal ends it. Logs errors. The ledger must be open. */
int usage_run(Usage *usage);
