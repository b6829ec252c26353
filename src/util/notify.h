/* SPDX-License-Identifier: MIT */
/* Notifies systemd, sd_notify(3), without waiting: PID 1 may be busy or hang, and any program of
 * the machine can fill its queue. If the queue is full, a status is dropped, because a newer one
 * follows. Messages that make systemd act are kept, and sent when there is room: the last reload or
 * stop, and the last message that the service is ready. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef enum NotifyEvent {
        NOTIFY_NOTHING, /* only a new status */
        NOTIFY_READY,
        NOTIFY_RELOADING,
        NOTIFY_STOPPING,
} NotifyEvent;

typedef struct Notify {
        sd_event *event;
        int fd;                /* negative: nothing listens */
        sd_event_source *room; /* enabled while messages are kept */
        sd_event_source *watchdog;
        uint64_t watchdog_usec;
        bool keeps_alive; /* WATCHDOG=1 is kept; kept messages are sent in the order of these fields
                           */
        uint64_t reloading_usec; /* when the reload began; 0: none */
        NotifyEvent state;       /* ready, stopping or nothing */
} Notify;

/* Connects to $NOTIFY_SOCKET. Without this variable, all functions do nothing. dir_fd_consume: the
 * folder of the socket, if a sandbox hides this folder; otherwise negative. Answers the watchdog of
 * the service, if there is one. Returns 0 or a negative errno. */
int notify_open_consume(Notify *notify, sd_event *event, int dir_fd_consume);
void notify_done(Notify *notify);

/* Reports an event and a status. format: the format of the status. */
void notify_send(Notify *notify, NotifyEvent happened, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* These two functions wait, at most until deadline_usec of CLOCK_MONOTONIC. They return 0,
 * -ETIMEDOUT or another negative errno. The caller keeps the descriptor. */
int notify_give_fd(const Notify *notify, const char *text, int fd, uint64_t deadline_usec);
/* Waits until systemd has read all earlier messages. */
int notify_barrier(const Notify *notify, uint64_t deadline_usec);
