/* SPDX-License-Identifier: MIT */
/*
 * Owns the hand-off socket for a while. Never reads what a client has sent but to throw it away,
 * and remembers nothing of it.
 */
#include <signal.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "refuse/parting.h"
#include "sniff/sniff.h"
#include "standin/standin.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/shut.h"

/* Below the usual LimitNOFILE= of 1024, with room for what one message may bring. Beyond it the
 * oldest is cut off: it has had the most time to take its reply. */
#define LINGERING_MAX 512

typedef struct Standin Standin;

/* A refused connection that has not yet taken its reply. */
typedef struct Guest {
        Standin *standin;
        int fd;
        sd_event_source *io;
        uint64_t deadline_usec;
        size_t n_discarded;
        TAILQ_ENTRY(Guest) by_deadline;
} Guest;

struct Standin {
        sd_event *event;
        int handoff_fd;
        const char *instance;
        const char *cause;
        uid_t sender;
        sd_event_source *handoff;
        sd_event_source *timer;     /* for the first of the guests */
        TAILQ_HEAD(, Guest) guests; /* all have the same time, so the oldest is first */
        size_t n_guests;
        size_t n_refused;
        bool is_ending;
};

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

static void end_when_all_have_gone(Standin *standin)
{
        if (standin->is_ending && standin->n_guests == 0)
                (void)sd_event_exit(standin->event, 0);
}

static void guest_free(Guest *guest)
{
        Standin *standin = guest->standin;

        TAILQ_REMOVE(&standin->guests, guest, by_deadline);
        standin->n_guests--;
        sd_event_source_disable_unref(guest->io);
        close_fd(guest->fd);
        free(guest);
        end_when_all_have_gone(standin);
}

static int guest_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Guest *guest = userdata;

        if (!parting_discard(fd, &guest->n_discarded))
                guest_free(guest);
        return 0;
}

static int arm_timer(Standin *standin)
{
        const int r = sd_event_source_set_time(standin->timer,
                                               TAILQ_FIRST(&standin->guests)->deadline_usec);

        return r < 0 ? r : sd_event_source_set_enabled(standin->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Standin *standin = userdata;
        const uint64_t now = clock_monotonic_usec();

        while (standin->n_guests > 0 && TAILQ_FIRST(&standin->guests)->deadline_usec <= now)
                guest_free(TAILQ_FIRST(&standin->guests));
        return standin->n_guests > 0 ? arm_timer(standin) : 0;
}

static int guest_new_consume(Standin *standin, int fd_consume)
{
        _cleanup_close_ int fd = fd_consume;
        Guest *guest;
        int r;

        if (standin->n_guests >= LINGERING_MAX)
                guest_free(TAILQ_FIRST(&standin->guests));
        guest = calloc(1, sizeof(*guest));
        if (!guest)
                return -ENOMEM;
        guest->standin = standin;
        guest->fd = take_fd(fd);
        guest->deadline_usec = clock_monotonic_usec() + PARTING_USEC;
        TAILQ_INSERT_TAIL(&standin->guests, guest, by_deadline);
        r = ++standin->n_guests == 1 ? arm_timer(standin) : 0;
        if (r >= 0)
                r = sd_event_add_io(standin->event, &guest->io, guest->fd, EPOLLIN | EPOLLRDHUP,
                                    guest_on_io, guest);
        if (r < 0)
                guest_free(guest);
        return r;
}

/* Of a connection that was routed by its local address the router has not looked at a byte. */
static enum bellhop_protocol find_protocol(int fd, const struct bellhop_handoff *handoff)
{
        uint8_t first[16];
        ssize_t n;

        if (handoff->protocol != BELLHOP_PROTOCOL_UNKNOWN)
                return handoff->protocol;
        n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
        return n > 0 ? sniff((Span){ .data = first, .size = (size_t)n }).protocol
                     : BELLHOP_PROTOCOL_UNKNOWN;
}

static void refuse_consume(Standin *standin, int fd_consume, const struct bellhop_handoff *handoff)
{
        _cleanup_close_ int fd = fd_consume;
        const enum bellhop_protocol protocol = find_protocol(fd, handoff);
        char reply[REFUSE_REPLY_MAX];
        size_t size = 0, n_discarded = 0;

        standin->n_refused++;
        if (parting_has_words(fd, protocol, REFUSE_UNAVAILABLE))
                size = refuse_reply(REFUSE_UNAVAILABLE, protocol, reply);
        parting_say(fd, reply, size);
        if (parting_discard(fd, &n_discarded))
                (void)guest_new_consume(standin, take_fd(fd));
}

static void notify_status(const Standin *standin)
{
        (void)sd_notifyf(0, "STATUS=%s can't start (%s); refused %zu visitors", standin->instance,
                         standin->cause, standin->n_refused);
}

/* All that is there in one turn: the queue is short. */
static int on_handoff(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Standin *standin = userdata;

        for (;;) {
                struct bellhop_handoff handoff;
                int connection;
                const int r = bellhop_receive(fd, standin->sender, &handoff, &connection);

                if (r == BELLHOP_RECEIVE_EMPTY)
                        break;
                if (r == 0)
                        refuse_consume(standin, connection, &handoff);
                else if (r < 0)
                        return r;
        }
        if (shut_whole(fd))
                return sd_event_exit(standin->event, 0);
        notify_status(standin);
        return 0;
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
        Standin *standin = userdata;

        standin->is_ending = true;
        standin->handoff = sd_event_source_disable_unref(standin->handoff);
        end_when_all_have_gone(standin);
        return 0;
}

static int init_events(Standin *standin, uint64_t pause_usec)
{
        int r = sd_event_new(&standin->event);

        if (r >= 0)
                r = sd_event_set_signal_exit(standin->event, true);
        if (r >= 0)
                r = sd_event_add_time(standin->event, &standin->timer, CLOCK_MONOTONIC, UINT64_MAX,
                                      0, on_timer, standin);
        if (r >= 0)
                r = sd_event_source_set_enabled(standin->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(standin->event, NULL, CLOCK_MONOTONIC, pause_usec, 0,
                                               on_end, standin);
        if (r >= 0)
                r = sd_event_add_io(standin->event, &standin->handoff, standin->handoff_fd, EPOLLIN,
                                    on_handoff, standin);
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

        TAILQ_INIT(&standin.guests);
        r = init_events(&standin, pause_usec);
        if (r >= 0)
                r = sd_event_loop(standin.event);

        while (standin.n_guests > 0)
                guest_free(TAILQ_FIRST(&standin.guests));
        sd_event_source_disable_unref(standin.handoff);
        sd_event_source_disable_unref(standin.timer);
        sd_event_unref(standin.event);
        close_fd(handoff_fd);
        log_full(LOG_INFO, &(LogFields){ .instance = instance },
                 "refused %zu visitors of %s; the next one starts it anew", standin.n_refused,
                 instance);
        return r;
}
