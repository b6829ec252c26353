/* SPDX-License-Identifier: MIT */
/*
 * The figures of a connection are the bytes that it has sent and received. However a connection
 * ends, the kernel sends a message with its figures. At each tick (every minute by default),
 * bellhop-usage also asks the kernel for the figures of open connections. The kernel sends its
 * message only when all descriptors of the connection are closed, and the router reports the
 * instance of a connection before it closes its own descriptor. So this report usually arrives
 * first. If it comes later, the ledger keeps the figures until then.
 */
#include <inttypes.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/param.h>
#include <sys/socket.h>

#include "config/config.h"
#include "usage/group.h"
#include "usage/usage.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* BATCH: the largest number of messages in one read. END_MAX: the room for the kernel's message
 * about the end of a connection, which has about 400 bytes. ANSWER_MAX: the size of the buffer for
 * one read of the kernel's answer to a request by sock_diag(7). ANSWER_MSEC: the longest wait for
 * such a read. */
#define BATCH       64
#define END_MAX     1024
#define ANSWER_MAX  65536
#define ANSWER_MSEC 1000

/* The least time between two reads of messages about connections that have ended. Waking up takes
 * longer than reading a message, so it is better to read several at once. Meanwhile, the messages
 * wait in the socket, which has room for thousands. */
#define ENDS_USEC    UINT64_C(20000)
#define ENDS_BATCHES 64

/* --- messages --- */

typedef struct Received {
        Span bytes;
        bool has_sender;
        struct ucred sender;
} Received;

/* Whether a process may report the requests of an instance. The process must belong to the
 * instance's unit and have a capability that no program of the customer has: see bellhop@.service.
 * The process that made the instance's last report is not checked again, because it may have ended
 * before its next report is read. */
static bool usage_may_report(const Usage *usage, const struct ucred *sender, const char *instance)
{
        char path[64], text[4096];
        const char *line = NULL;
        FILE *file;

        if (sender->uid != 0 && ledger_is_reporter(&usage->ledger, instance, (uint64_t)sender->pid))
                return true;
        (void)snprintf(path, sizeof(path), "/proc/%d/status", sender->pid);
        file = fopen(path, "re");
        while (file && fgets(text, sizeof(text), file))
                if (strncmp(text, "CapEff:", strlen("CapEff:")) == 0) {
                        line = text + strlen("CapEff:");
                        break;
                }
        if (file)
                (void)fclose(file);
        return line && strtoull(line, NULL, 16) != 0 && sender->uid != 0 &&
               group_has(instance, sender->pid);
}

static void usage_look_at_group(void *userdata, const char *instance, uint64_t group, uint64_t nsec)
{
        Usage *usage = userdata;

        if (instance_name_is_valid(instance))
                ledger_add_cpu(&usage->ledger, instance, group, nsec);
}

static void usage_take_handoffs(Usage *usage, const UsageMessage *message, uint64_t router)
{
        Ledger *ledger = &usage->ledger;

        /* If a new router reports, but the earlier router has sent no message with is_last, the
         * earlier router was killed, and did not report its last hand-offs. */
        if (message->n_lost > 0 || (ledger->head.router != 0 && ledger->head.router != router))
                ledger_lose(ledger);
        ledger->head.router = message->is_last ? 0 : router;
        for (size_t i = 0; i < message->n; i++)
                if (instance_name_is_valid(message->records[i].instance))
                        ledger_hand_off(ledger, message->records[i].number,
                                        message->records[i].instance,
                                        message->records[i].n_received);
}

static void usage_take_report(Usage *usage, const UsageMessage *message, uint64_t reporter)
{
        const UsageRecord *record = &message->records[0];
        uint64_t group, nsec;

        ledger_add_requests(&usage->ledger, record->instance, reporter, record->number);
        if (group_read(record->instance, &group, &nsec) == 0)
                usage_look_at_group(usage, record->instance, group, nsec);
}

static void usage_take(Usage *usage, const Received *received)
{
        const struct ucred *sender = &received->sender;
        UsageMessage message;
        const char *name = message.records[0].instance;
        int r = 0;

        if (!received->has_sender || !usage_message_parse(received->bytes, &message))
                return;
        if (message.kind == USAGE_HANDOFFS) {
                if (sender->uid == usage->router_uid || sender->uid == 0)
                        usage_take_handoffs(usage, &message, (uint64_t)sender->pid);
                return;
        }
        if (message.n != 1 || !instance_name_is_valid(name))
                return;
        if (message.kind == USAGE_ENDED && sender->uid == 0)
                r = ledger_close_account(&usage->ledger, name, time(NULL));
        else if (message.kind == USAGE_REQUESTS && usage_may_report(usage, sender, name))
                usage_take_report(usage, &message, (uint64_t)sender->pid);
        if (r < 0)
                log_error_errno(r,
                                "can't close the usage account of %s: %m; a new customer with that "
                                "name would continue it",
                                name);
}

typedef struct Batch {
        struct mmsghdr headers[BATCH];
        struct iovec iov[BATCH];
        struct sockaddr_nl from[BATCH];
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(struct ucred))];
        } control[BATCH];
        uint8_t bytes[BATCH][sizeof(UsageMessage)];
} Batch;

_Static_assert(sizeof(UsageMessage) >= END_MAX, "Batch has too little room");

/* Receives a batch. Returns the number of datagrams, or a negative errno. */
static int usage_receive(int fd, Batch *batch)
{
        int n;

        for (size_t i = 0; i < BATCH; i++) {
                batch->iov[i] = (struct iovec){ batch->bytes[i], sizeof(batch->bytes[i]) };
                batch->headers[i].msg_hdr = (struct msghdr){
                        .msg_name = &batch->from[i],
                        .msg_namelen = sizeof(batch->from[i]),
                        .msg_iov = &batch->iov[i],
                        .msg_iovlen = 1,
                        .msg_control = &batch->control[i],
                        .msg_controllen = sizeof(batch->control[i]),
                };
        }
        n = recvmmsg(fd, batch->headers, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
        return n < 0 ? -errno : n;
}

static Received usage_received(Batch *batch, int i)
{
        struct msghdr *header = &batch->headers[i].msg_hdr;
        Received received = { .bytes = { batch->bytes[i], batch->headers[i].msg_len } };

        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
                        memcpy(&received.sender, CMSG_DATA(c), sizeof(received.sender));
                        received.has_sender = true;
                }
        return received;
}

/* Stops after `batches` batches, so that a process that sends without end can't block the service.
 */
static void usage_drain(Usage *usage, int fd, unsigned batches)
{
        static Batch batch;
        int n = BATCH;

        while (n == BATCH && batches-- > 0) {
                n = usage_receive(fd, &batch);
                for (int i = 0; i < n; i++) {
                        const Received received = usage_received(&batch, i);

                        usage_take(usage, &received);
                }
        }
}

static int usage_on_messages(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        usage_drain(userdata, fd, 1);
        return 0;
}

/* --- the kernel --- */

/* Whether a message is from the kernel, whose netlink address is 0. */
static bool usage_is_from_kernel(const Batch *batch, int i)
{
        return batch->headers[i].msg_hdr.msg_namelen >= sizeof(struct sockaddr_nl) &&
               batch->from[i].nl_family == AF_NETLINK && batch->from[i].nl_pid == 0;
}

static void usage_read_ends(Usage *usage, unsigned batches)
{
        static Batch batch;
        DiagMessage message;
        int n = BATCH;

        while (n == BATCH && batches-- > 0) {
                n = usage_receive(usage->ends_fd, &batch);
                if (n == -ENOBUFS) {
                        log_warning("connections ended faster than they could be counted; the "
                                    "figures of %s are incomplete: raise ReceiveBuffer= of "
                                    "bellhop-usage.socket",
                                    usage->ledger.month);
                        ledger_lose(&usage->ledger);
                        n = BATCH;
                        continue;
                }
                /* First, reads the router's reports about the connections in this batch. If such a
                 * report arrives later, ledger_hand_off() adds the figures at that time. */
                usage_drain(usage, usage->messages_fd, UINT16_MAX);
                for (int i = 0; i < n; i++) {
                        Span rest = { batch.bytes[i], batch.headers[i].msg_len };

                        while (usage_is_from_kernel(&batch, i) && diag_next(&rest, &message))
                                if (message.kind == DIAG_SOCKET)
                                        ledger_end(&usage->ledger, &message);
                }
        }
}

static int usage_on_ends(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        usage_read_ends(userdata, ENDS_BATCHES);
        return 0;
}

/* Asks the kernel for all open connections of a family. Returns 0, or a negative errno if the
 * answer is incomplete. */
static int usage_ask(Usage *usage, uint8_t family)
{
        static uint8_t answer[ANSWER_MAX];
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        uint8_t question[DIAG_QUESTION_MAX];
        const size_t size = diag_question(family, question);
        struct pollfd at = { .fd = usage->asks_fd, .events = POLLIN };
        DiagKind end = DIAG_OTHER;
        DiagMessage message;

        /* Drops the rest of an earlier answer that took too long. */
        while (recv(at.fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
                ;
        if (sendto(at.fd, question, size, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
                return -errno;
        while (end == DIAG_OTHER) {
                struct sockaddr_nl from = { .nl_pid = 1 };
                socklen_t from_size = sizeof(from);
                ssize_t n;
                Span rest;

                if (poll(&at, 1, ANSWER_MSEC) == 0)
                        return -ETIMEDOUT;
                n = recvfrom(at.fd, answer, sizeof(answer), MSG_DONTWAIT, (struct sockaddr *)&from,
                             &from_size);
                if (n < 0)
                        return -errno;
                rest = (Span){ answer, from.nl_pid == 0 ? (size_t)n : 0 };
                while (diag_next(&rest, &message))
                        if (message.kind == DIAG_SOCKET)
                                ledger_see(&usage->ledger, &message);
                        else
                                end = message.kind;
        }
        return end == DIAG_DONE ? 0 : -EPROTO;
}

/* --- ticks --- */

static void usage_look(Usage *usage)
{
        static const uint8_t families[] = { AF_INET, AF_INET6 };

        usage_drain(usage, usage->messages_fd, UINT16_MAX);
        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                const int r = usage_ask(usage, families[i]);

                if (r < 0)
                        log_warning_errno(r, "can't ask the kernel for open connections: %m; they "
                                             "are counted when they end");
        }
        usage_read_ends(usage, UINT16_MAX);
        (void)group_read_all(usage_look_at_group, usage);
}

static void usage_save(Usage *usage, bool is_running)
{
        const Ledger *ledger = &usage->ledger;
        const int r = ledger_save(&usage->ledger, is_running);

        if (r < 0)
                log_error_errno(r, "can't write the figures of %s: %m; they are kept in memory",
                                ledger->month);
        if (ledger->n_missed > usage->n_missed)
                log_warning("%" PRIu64
                            " connections or instances were not counted, because their limit is "
                            "reached; raise --connections= or --instances=, see bellhop-usage(8)",
                            ledger->n_missed - usage->n_missed);
        usage->n_missed = ledger->n_missed;
        notify_send(&usage->notify, NOTIFY_NOTHING, "%zu connections, %zu instances in %s",
                    ledger->open.n - ledger->n_orphans, ledger->n_accounts, ledger->month);
}

static void usage_tick(Usage *usage)
{
        int r;

        usage_look(usage);
        r = ledger_tick(&usage->ledger, time(NULL));
        if (r < 0)
                log_error_errno(r, "can't begin a new month: %m");
        usage_save(usage, true);
}

/* Sets the time of the next tick: after the interval, or when a month begins, if that is earlier.
 */
static int usage_set_timer(Usage *usage)
{
        const uint64_t now = clock_nsec(CLOCK_REALTIME) / 1000;
        time_t later = (time_t)((now + usage->interval_usec) / USEC_PER_SEC);
        uint64_t due = now + usage->interval_usec;
        struct tm tm;

        (void)gmtime_r(&later, &tm);
        tm.tm_mday = 1;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        if ((uint64_t)timegm(&tm) * USEC_PER_SEC > now)
                due = (uint64_t)timegm(&tm) * USEC_PER_SEC;
        (void)sd_event_source_set_time_relative(usage->timer, due - now);
        return sd_event_source_set_enabled(usage->timer, SD_EVENT_ONESHOT);
}

static int usage_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        usage_tick(userdata);
        return usage_set_timer(userdata);
}

static int usage_on_hup(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
        usage_look(userdata);
        usage_save(userdata, true);
        return 0;
}

static int usage_on_end(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
        Usage *usage = userdata;

        usage_look(usage);
        /* Waits for the router's report about the last hand-offs. Without this wait, they might not
         * be counted. */
        (void)usleep(2 * USAGE_SPACING_USEC);
        usage_drain(usage, usage->messages_fd, UINT16_MAX);
        usage_save(usage, false);
        return sd_event_exit(usage->event, 0);
}

/* --- the loop --- */

static int usage_watch(Usage *usage)
{
        const struct {
                int fd;
                sd_event_io_handler_t handler;
                int64_t priority;
                uint64_t interval_usec;
        } sockets[] = {
                { usage->ends_fd, usage_on_ends, SD_EVENT_PRIORITY_IMPORTANT, ENDS_USEC },
                { usage->messages_fd, usage_on_messages, SD_EVENT_PRIORITY_IMPORTANT, 0 },
                { usage->reports_fd, usage_on_messages, SD_EVENT_PRIORITY_IDLE, 0 },
        };
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = { { SIGHUP, usage_on_hup },
                        { SIGTERM, usage_on_end },
                        { SIGINT, usage_on_end } };
        int r = sd_event_new(&usage->event);

        if (r >= 0)
                r = notify_open_consume(&usage->notify, usage->event, -EBADF);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(sockets); i++) {
                sd_event_source *source;

                if (sockets[i].fd < 0)
                        continue;
                r = sd_event_add_io(usage->event, &source, sockets[i].fd, EPOLLIN,
                                    sockets[i].handler, usage);
                if (r >= 0)
                        r = sd_event_source_set_floating(source, true);
                if (r >= 0)
                        r = sd_event_source_set_priority(source, sockets[i].priority);
                if (r >= 0 && sockets[i].interval_usec > 0)
                        r = sd_event_source_set_ratelimit(source, sockets[i].interval_usec, 1);
                sd_event_source_unref(source);
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(usage->event, NULL,
                                        signals[i].number | SD_EVENT_SIGNAL_PROCMASK,
                                        signals[i].handler, usage);
        if (r >= 0)
                r = sd_event_add_time_relative(usage->event, &usage->timer, CLOCK_MONOTONIC, 0,
                                               USEC_PER_SEC / 10, usage_on_timer, usage);
        return r < 0 ? r : usage_set_timer(usage);
}

int usage_run(Usage *usage)
{
        int r = usage_watch(usage);

        if (r < 0) {
                log_error_errno(r, "can't set up the event loop: %m");
        } else {
                notify_send(&usage->notify, NOTIFY_READY, "Counting");
                usage_tick(usage);
                r = sd_event_loop(usage->event);
        }
        sd_event_source_disable_unref(usage->timer);
        notify_done(&usage->notify);
        sd_event_unref(usage->event);
        return r;
}
