/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/notify.h"
#include "util/unix-address.h"

/* systemd reads at most this number of bytes of a message. */
#define NOTIFY_BYTES_MAX 4096

/* Sends a datagram, with a copy of fd unless fd is negative. */
static int notify_try(const Notify *notify, const char *text, int fd)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec iov = { (char *)text, strlen(text) };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (notify->fd < 0)
                return -ENOTCONN;
        if (fd >= 0) {
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
                message.msg_control = &control;
                message.msg_controllen = sizeof(control);
        }
        return sendmsg(notify->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* --- without waiting --- */

/* Tries to send a message. Returns false if it must be tried again later; true if it was sent, or
 * can never be sent. */
static bool notify_is_over(const Notify *notify, const char *text)
{
        const int r = notify_try(notify, text, -1);

        return r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM;
}

/* Sends the kept messages in order, until one can't be sent now. To add a status to RELOADING=1,
 * READY=1 or STOPPING=1, give the line "STATUS=..." as status; otherwise give "". */
static void notify_flush(Notify *notify, const char *status)
{
        char text[NOTIFY_BYTES_MAX];
        bool is_over = true;

        if (notify->keeps_alive)
                is_over = notify_is_over(notify, "WATCHDOG=1");
        notify->keeps_alive = !is_over;
        if (is_over && notify->reloading_usec > 0) {
                (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n%s",
                               notify->reloading_usec, status);
                is_over = notify_is_over(notify, text);
                notify->reloading_usec = is_over ? 0 : notify->reloading_usec;
        }
        if (is_over && notify->state != NOTIFY_NOTHING) {
                (void)snprintf(text, sizeof(text), "%s\n%s",
                               notify->state == NOTIFY_READY ? "READY=1" : "STOPPING=1", status);
                is_over = notify_is_over(notify, text);
                notify->state = is_over ? NOTIFY_NOTHING : notify->state;
        }
        (void)sd_event_source_set_enabled(notify->room, is_over ? SD_EVENT_OFF : SD_EVENT_ON);
}

void notify_send(Notify *notify, NotifyEvent happened, const char *format, ...)
{
        static const char assignment[] = "STATUS=";
        char status[NOTIFY_BYTES_MAX / 2];
        va_list args;

        if (notify->fd < 0)
                return;
        memcpy(status, assignment, sizeof(assignment));
        va_start(args, format);
        (void)vsnprintf(status + strlen(assignment), sizeof(status) - strlen(assignment), format,
                        args);
        va_end(args);
        if (happened == NOTIFY_NOTHING) {
                /* An earlier message may have failed because memory ran out. No event reports that
                 * memory is available again, so the message is tried again here. */
                notify_flush(notify, "");
                (void)notify_try(notify, status, -1);
                return;
        }
        if (happened != NOTIFY_READY)
                notify->reloading_usec = happened == NOTIFY_RELOADING ? clock_monotonic_usec() : 0;
        notify->state = happened == NOTIFY_RELOADING ? NOTIFY_NOTHING : happened;
        notify_flush(notify, status);
}

static int notify_on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        notify_flush(userdata, "");
        return 0;
}

static int notify_on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
        Notify *notify = userdata;

        notify->keeps_alive = true;
        notify_flush(notify, "");
        return sd_event_source_set_time_relative(source, notify->watchdog_usec / 2);
}

/* --- set-up --- */

static int notify_connect(const char *path)
{
        struct sockaddr_un address;
        const int size = unix_address_fill_notify(path, &address);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        if (size < 0)
                return size;
        if (connect(fd, (struct sockaddr *)&address, (socklen_t)size) < 0)
                return -errno;
        return take_fd(fd);
}

static int notify_start_watchdog(Notify *notify)
{
        int r = sd_watchdog_enabled(0, &notify->watchdog_usec);

        if (r <= 0)
                return r;
        r = sd_event_add_time_relative(notify->event, &notify->watchdog, CLOCK_MONOTONIC,
                                       notify->watchdog_usec / 2, notify->watchdog_usec / 8,
                                       notify_on_watchdog, notify);
        return r < 0 ? r : sd_event_source_set_enabled(notify->watchdog, SD_EVENT_ON);
}

int notify_open_consume(Notify *notify, sd_event *event, int dir_fd_consume)
{
        _cleanup_close_ int dir_fd = dir_fd_consume;
        const char *path = getenv("NOTIFY_SOCKET");
        const char *slash = path ? strrchr(path, '/') : NULL;
        char within[sizeof(struct sockaddr_un)];
        int r;

        *notify = (Notify){ .event = event, .fd = -EBADF };
        if (!path)
                return 0;
        /* connect(2) can't use a path that is relative to the descriptor of a folder, so the path
         * leads through /proc. */
        if (slash && dir_fd >= 0) {
                (void)snprintf(within, sizeof(within), "/proc/self/fd/%d%s", dir_fd, slash);
                path = within;
        }
        notify->fd = notify_connect(path);
        if (notify->fd < 0)
                return notify->fd;
        /* This event reports room in systemd's queue. It is edge-triggered, because the kernel
         * always reports room if systemd has closed its socket, and a level-triggered event would
         * then occur without end. */
        r = sd_event_add_io(event, &notify->room, notify->fd, EPOLLOUT | EPOLLET, notify_on_room,
                            notify);
        if (r >= 0)
                r = sd_event_source_set_enabled(notify->room, SD_EVENT_OFF);
        return r < 0 ? r : notify_start_watchdog(notify);
}

void notify_done(Notify *notify)
{
        notify->room = sd_event_source_disable_unref(notify->room);
        notify->watchdog = sd_event_source_disable_unref(notify->watchdog);
        notify->fd = close_fd(notify->fd);
}

/* --- with a deadline --- */

/* Waits for events of a descriptor. Returns the events that have occurred, 0 if none has occurred
 * yet, or a negative errno. */
static int notify_poll(int fd, short events, uint64_t deadline_usec)
{
        struct pollfd at = { .fd = fd, .events = events };
        const uint64_t now = clock_monotonic_usec();
        const uint64_t left_msec = now < deadline_usec ? (deadline_usec - now + 999) / 1000 : 0;

        return poll(&at, 1, (int)left_msec) < 0 && errno != EINTR ? -errno : at.revents;
}

int notify_give_fd(const Notify *notify, const char *text, int fd, uint64_t deadline_usec)
{
        int r;

        while ((r = notify_try(notify, text, fd)) == -EAGAIN) {
                r = notify_poll(notify->fd, POLLOUT, deadline_usec);
                if (r < 0)
                        return r;
                if (r == 0 && clock_monotonic_usec() >= deadline_usec)
                        return -ETIMEDOUT;
        }
        return r;
}

int notify_barrier(const Notify *notify, uint64_t deadline_usec)
{
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        r = notify_give_fd(notify, "BARRIER=1", ends[1], deadline_usec);
        (void)close_fd(ends[1]);
        /* systemd closes its copy of the writing end when it reads the message. Then the pipe hangs
         * up. */
        while (r == 0 && (r = notify_poll(ends[0], 0, deadline_usec)) == 0)
                if (clock_monotonic_usec() >= deadline_usec)
                        r = -ETIMEDOUT;
        (void)close_fd(ends[0]);
        return r < 0 ? r : 0;
}
