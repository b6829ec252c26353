/* SPDX-License-Identifier: MIT */
/* Never reads what a client has sent but to throw it away. */
#include <assert.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "handoff/hangup.h"
#include "refuse/linger.h"
#include "sniff/sniff.h"
#include "standin/standin.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/* Below the usual LimitNOFILE= of 1024, with room for what one message may bring. */
#define STANDIN_LINGERING_MAX 512

typedef struct Standin {
        sd_event *event;
        int handoff_fd;
        const char *instance;
        const char *cause;
        uid_t sender;
        sd_event_source *handoff;
        sd_event_source *post; /* once it is ending */
        LingerQueue lingering;
        size_t n_refused;
} Standin;

uint64_t standin_waited_usec(int handoff_fd)
{
        const uint64_t now = clock_nsec(CLOCK_MONOTONIC);
        struct bellhop_header header;

        if (recv(handoff_fd, &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT) !=
                    (ssize_t)sizeof(header) ||
            header.accepted_nsec > now)
                return 0;
        return (now - header.accepted_nsec) / 1000;
}

/* Of a connection that was routed by its local address the router has not looked at a byte. */
static enum bellhop_protocol standin_find_protocol(int fd, const struct bellhop_handoff *handoff)
{
        uint8_t first[16];
        ssize_t n;

        if (handoff->protocol != BELLHOP_PROTOCOL_UNKNOWN)
                return handoff->protocol;
        n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
        return n > 0 ? sniff((Span){ .data = first, .size = (size_t)n }).protocol
                     : BELLHOP_PROTOCOL_UNKNOWN;
}

static void standin_notify_status(const Standin *standin)
{
        (void)sd_notifyf(0, "STATUS=%s can't start (%s); refused %zu visitors", standin->instance,
                         standin->cause, standin->n_refused);
}

/* All that is there in one turn: the queue is short. */
static int standin_on_handoff(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Standin *standin = userdata;

        for (;;) {
                struct bellhop_handoff handoff;
                int connection;
                const int r = bellhop_receive(fd, standin->sender, &handoff, &connection);

                if (r == BELLHOP_RECEIVE_EMPTY)
                        break;
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                standin->n_refused++;
                linger_refuse_consume(&standin->lingering, connection, REFUSE_UNAVAILABLE,
                                      standin_find_protocol(connection, &handoff));
        }
        if (hangup_complete(fd))
                return sd_event_exit(standin->event, 0);
        standin_notify_status(standin);
        return 0;
}

/* After whatever else has happened in this turn. */
static int standin_on_post(sd_event_source *source, void *userdata)
{
        const Standin *standin = userdata;

        return standin->lingering.deadlines.n == 0 ? sd_event_exit(standin->event, 0) : 0;
}

static int standin_on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
        Standin *standin = userdata;

        standin->handoff = sd_event_source_disable_unref(standin->handoff);
        if (standin->lingering.deadlines.n == 0)
                return sd_event_exit(standin->event, 0);
        return sd_event_add_post(standin->event, &standin->post, standin_on_post, standin);
}

static int standin_init(Standin *standin, uint64_t pause_usec)
{
        int r = sd_event_new(&standin->event);

        if (r >= 0)
                r = sd_event_set_signal_exit(standin->event, true);
        if (r >= 0)
                r = linger_init(&standin->lingering, standin->event, STANDIN_LINGERING_MAX);
        if (r >= 0)
                r = sd_event_add_time_relative(standin->event, NULL, CLOCK_MONOTONIC, pause_usec, 0,
                                               standin_on_end, standin);
        if (r >= 0)
                r = sd_event_add_io(standin->event, &standin->handoff, standin->handoff_fd, EPOLLIN,
                                    standin_on_handoff, standin);
        return r;
}

int standin_run_consume(int handoff_fd, const char *instance, const char *cause, uid_t sender_uid,
                        uint64_t pause_usec)
{
        Standin standin = {
                .handoff_fd = handoff_fd,
                .instance = instance,
                .cause = cause,
                .sender = sender_uid,
        };
        int r;

        assert(handoff_fd >= 0);
        standin_notify_status(&standin);
        r = standin_init(&standin, pause_usec);
        if (r >= 0)
                r = sd_event_loop(standin.event);

        linger_done(&standin.lingering);
        sd_event_source_disable_unref(standin.handoff);
        sd_event_source_disable_unref(standin.post);
        sd_event_unref(standin.event);
        close_fd(handoff_fd);
        log_full(LOG_INFO, &(LogFields){ .instance = instance },
                 "refused %zu visitors of %s; the next one starts it again", standin.n_refused,
                 instance);
        return r;
}
