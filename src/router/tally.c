/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/param.h>
#include <sys/socket.h>

#include "handoff/bellhop.h"
#include "router/tally.h"
#include "util/cleanup.h"
#include "util/deadline.h"
#include "util/unix-address.h"

/* The pauses between two attempts to connect, and between two attempts to send the same reports. */
#define CONNECT_USEC UINT64_C(1000000)
#define RETRY_USEC   UINT64_C(200000)

static bool tally_connect(Tally *tally)
{
        const uint64_t now = event_now(tally->event);
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        int n;

        if (tally->fd >= 0 || now < tally->next_usec)
                return tally->fd >= 0;
        tally->next_usec = now + CONNECT_USEC;
        n = snprintf(path, sizeof(path), "%s/" USAGE_SOCKET, tally->runtime_dir);
        if (n > 0 && n < (int)sizeof(path))
                tally->fd = bellhop_connect(path);
        return tally->fd >= 0;
}

/* Returns false if bellhop-usage can't receive the message now. */
static bool tally_send(Tally *tally, size_t n, bool is_last)
{
        UsageMessage message;

        usage_message_init(&message, USAGE_HANDOFFS);
        message.n = (uint8_t)n;
        message.is_last = is_last;
        message.n_lost = tally->n_untold;
        memcpy(message.records, tally->records, n * sizeof(*tally->records));
        if (send(tally->fd, &message, usage_message_size(&message), MSG_DONTWAIT | MSG_NOSIGNAL) <
            0) {
                if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
                        tally->fd = close_fd(tally->fd);
                return false;
        }
        tally->told_usec = event_now(tally->event);
        tally->n_untold = 0;
        tally->n -= n;
        memmove(tally->records, tally->records + n, tally->n * sizeof(*tally->records));
        return true;
}

static void tally_flush(Tally *tally)
{
        while (tally->n > 0 && tally_connect(tally) &&
               tally_send(tally, MIN(tally->n, (size_t)USAGE_RECORDS_MAX), false))
                ;
        if (tally->n == 0 || sd_event_source_set_time_relative(tally->retry, RETRY_USEC) < 0)
                return;
        (void)sd_event_source_set_enabled(tally->retry, SD_EVENT_ONESHOT);
}

static int tally_on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        tally_flush(userdata);
        return 0;
}

static int tally_on_flush(sd_event_source *source, void *userdata)
{
        tally_flush(userdata);
        return 0;
}

int tally_init(Tally *tally)
{
        int r = sd_event_add_defer(tally->event, &tally->flush, tally_on_flush, tally);

        /* The router sends reports after it has handled all due events. So one message can have the
         * reports of several connections, which usually arrive in groups. */
        if (r >= 0)
                r = sd_event_source_set_priority(tally->flush, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(tally->flush, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(tally->event, &tally->retry, CLOCK_MONOTONIC, UINT64_MAX,
                                      USAGE_SPACING_USEC, tally_on_retry, tally);
        return r < 0 ? r : sd_event_source_set_enabled(tally->retry, SD_EVENT_OFF);
}

void tally_done(Tally *tally)
{
        tally_flush(tally);
        tally->n_untold += tally->n;
        tally->n = 0;
        if (tally->fd >= 0)
                (void)tally_send(tally, 0, true);
        tally->fd = close_fd(tally->fd);
        tally->flush = sd_event_source_disable_unref(tally->flush);
        tally->retry = sd_event_source_disable_unref(tally->retry);
}

/* Arranges that reports are sent at the end of this round of the event loop, but not earlier than
 * USAGE_SPACING_USEC after the last message. */
static void tally_flush_later(Tally *tally)
{
        const uint64_t due = tally->told_usec + USAGE_SPACING_USEC;
        int enabled = SD_EVENT_OFF;

        if (event_now(tally->event) >= due) {
                (void)sd_event_source_set_enabled(tally->flush, SD_EVENT_ONESHOT);
                return;
        }
        (void)sd_event_source_get_enabled(tally->retry, &enabled);
        if (enabled == SD_EVENT_OFF && sd_event_source_set_time(tally->retry, due) >= 0)
                (void)sd_event_source_set_enabled(tally->retry, SD_EVENT_ONESHOT);
}

void tally_note(Tally *tally, int fd, const char *instance, uint64_t n_received)
{
        UsageRecord record = { .n_received = n_received };
        socklen_t size = sizeof(record.number);

        if (tally->n == TALLY_MAX || strlen(instance) >= sizeof(record.instance) ||
            getsockopt(fd, SOL_SOCKET, SO_COOKIE, &record.number, &size) < 0) {
                tally->n_untold++;
                (*tally->lost)++;
        } else {
                (void)strcpy(record.instance, instance);
                tally->records[tally->n++] = record;
        }
        if (tally->n % USAGE_RECORDS_MAX == 0)
                tally_flush(tally);
        else
                tally_flush_later(tally);
}
