/* SPDX-License-Identifier: MIT */
/* Sends messages to systemd, as sd_notify(3) does, but without waiting: PID 1 may be busy or hang,
 * and any program on the machine can fill the queue of its socket. If the queue is full, a status
 * is dropped, because a newer status will follow. Messages that make systemd act are kept until
 * there is room: WATCHDOG=1, the last RELOADING=1, and the last READY=1 or STOPPING=1. */
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
        int fd;                /* negative: there is no $NOTIFY_SOCKET */
        sd_event_source *room; /* reports room in the queue; enabled while messages are kept */
        sd_event_source *watchdog;
        uint64_t watchdog_usec;
        bool keeps_alive; /* WATCHDOG=1 is kept; kept messages are sent in the order of the fields
                             from here on */
        uint64_t reloading_usec; /* if RELOADING=1 is kept: when the reload began; otherwise 0 */
        NotifyEvent state;       /* READY=1, STOPPING=1 or nothing is kept */
} Notify;

/* Connects to $NOTIFY_SOCKET. Without this variable, all functions do nothing. If a sandbox hides
 * the socket's folder, dir_fd_consume is a descriptor of this folder; otherwise it is negative. If
 * the service has a watchdog (WatchdogSec=), the event loop sends WATCHDOG=1 in time. Returns 0 or
 * a negative errno. */
int notify_open_consume(Notify *notify, sd_event *event, int dir_fd_consume);
void notify_done(Notify *notify);

/* Reports an event and a status. The status is made from format and its arguments. */
void notify_send(Notify *notify, NotifyEvent happened, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Sends text with a copy of fd. Unlike the functions above, this function and the next one wait, at
 * most until deadline_usec (CLOCK_MONOTONIC). They return 0, -ETIMEDOUT or another negative errno.
 */
int notify_give_fd(const Notify *notify, const char *text, int fd, uint64_t deadline_usec);
/* Waits until systemd has read all earlier messages. */
int notify_barrier(const Notify *notify, uint64_t deadline_usec);
