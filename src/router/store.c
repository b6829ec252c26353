/* SPDX-License-Identifier: MIT */
/*
 * Owns the form in which pending connections are stored. They are not stored one by one: systemd
 * compares each new descriptor with all that it has, which takes it seconds for thousands, and
 * passes the names of all in one environment variable, which execve(2) refuses above 128 KiB. So
 * they lie, with what must be known of them, in the queue of a socket pair, and it is the reading
 * end of this envelope that is stored. One envelope holds thousands.
 */
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "router/router.h"
#include "router/store.h"
#include "util/cleanup.h"

/* The kernel takes no more descriptors in one message (SCM_MAX_FD). */
#define LETTER_CONNS_MAX 253
#define LETTER_MAGIC     UINT32_C(0x31504842)

/* systemd may be busy for a minute, for example with a daemon-reload; TimeoutStopSec= is longer. */
#define BARRIER_USEC (75 * UINT64_C(1000000))

typedef struct Letter {
        uint32_t magic;
        uint32_t n;
        ConnPast conns[LETTER_CONNS_MAX];
} Letter;

typedef struct Save {
        int envelope[2]; /* read, write */
        size_t n_in_envelope;
        size_t n_stored;
        Letter letter; /* being filled */
        int fds[LETTER_CONNS_MAX];
} Save;

typedef union Control {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(LETTER_CONNS_MAX * sizeof(int))];
} Control;

static size_t letter_size(size_t n)
{
        return offsetof(Letter, conns) + n * sizeof(ConnPast);
}

static void save_close_envelope(Save *save)
{
        save->envelope[0] = close_fd(save->envelope[0]);
        save->envelope[1] = close_fd(save->envelope[1]);
        save->n_in_envelope = 0;
}

/* systemd must not watch the descriptor: the hang-up of the writing end is no reason to drop it. */
static int save_store_envelope(Save *save)
{
        const size_t n = save->n_in_envelope;
        int r = 0;

        if (n > 0)
                r = sd_pid_notify_with_fds(0, false, "FDSTORE=1\nFDPOLL=0\nFDNAME=" STORE_NAME,
                                           (const int *)save->envelope, 1);
        if (r > 0)
                save->n_stored += n;
        save_close_envelope(save);
        return r < 0 ? r : 0;
}

static int save_open_envelope(Save *save)
{
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, save->envelope) < 0 ? -errno
                                                                                         : 0;
}

static int save_send_letter(Save *save)
{
        const size_t n = save->letter.n;
        Control control = { .bytes = { 0 } };
        struct iovec iov = { .iov_base = &save->letter, .iov_len = letter_size(n) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(n * sizeof(int)),
        };

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), save->fds, n * sizeof(int));
        return sendmsg(save->envelope[1], &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int save_flush(Save *save)
{
        int r = 0;

        if (save->letter.n == 0)
                return 0;
        if (save->envelope[1] < 0)
                r = save_open_envelope(save);
        if (r == 0)
                r = save_send_letter(save);
        /* Full: this one goes, and the next has room. */
        if (r == -EAGAIN && save->n_in_envelope > 0) {
                r = save_store_envelope(save);
                if (r == 0)
                        r = save_open_envelope(save);
                if (r == 0)
                        r = save_send_letter(save);
        }
        if (r == 0)
                save->n_in_envelope += save->letter.n;
        save->letter.n = 0;
        return r;
}

static int save_queue(Save *save, const DeadlineQueue *queue)
{
        Conn *conn;
        int r = 0;

        TAILQ_FOREACH(conn, &queue->conns, by_deadline)
        {
                conn_pack(conn, &save->letter.conns[save->letter.n]);
                save->fds[save->letter.n++] = conn->fd;
                if (save->letter.n == LETTER_CONNS_MAX)
                        r = save_flush(save);
                if (r < 0)
                        return r;
        }
        return 0;
}

void store_save(Router *router)
{
        Save save = { .envelope = { -EBADF, -EBADF }, .letter = { .magic = LETTER_MAGIC } };
        const size_t n = router->waiting.n + router->sniffing.n;
        int r, stored;

        if (n == 0 || !getenv("NOTIFY_SOCKET"))
                return;
        /* Who waits for room is taken up first, as he came first. */
        r = save_queue(&save, &router->waiting);
        if (r == 0)
                r = save_queue(&save, &router->sniffing);
        if (r == 0)
                r = save_flush(&save);
        stored = save_store_envelope(&save);
        /* What a process has sent that is gone when systemd reads it belongs to nobody. */
        if (stored >= 0)
                stored = sd_notify_barrier(0, BARRIER_USEC);
        if (r == 0 && stored < 0)
                r = stored;
        if (r < 0) {
                errno = -r;
                log_warning("can't store all of %zu pending connections: %m; they are closed", n);
        } else {
                log_info("stored %zu pending connections for the next start", save.n_stored);
        }
}

/* What is not what store_save() has sent is closed. */
static int take_up_letter(Router *router, const Letter *letter, size_t size,
                          const struct msghdr *message)
{
        struct cmsghdr *control = CMSG_FIRSTHDR(message);
        int fds[LETTER_CONNS_MAX];
        size_t n_fds = 0;

        if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
                n_fds = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(control), n_fds * sizeof(int));
        }
        if (size >= offsetof(Letter, conns) && letter->magic == LETTER_MAGIC && n_fds > 0 &&
            letter->n == n_fds && size == letter_size(n_fds) &&
            !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
                for (size_t i = 0; i < n_fds; i++)
                        if (sd_is_socket_inet(fds[i], AF_UNSPEC, SOCK_STREAM, 0, 0) > 0)
                                conn_resume_consume(router, fds[i], &letter->conns[i]);
                        else
                                close_fd(fds[i]);
                return (int)n_fds;
        }
        for (size_t i = 0; i < n_fds; i++)
                close_fd(fds[i]);
        return -EBADMSG;
}

static int take_up_next(Router *router, int fd)
{
        Control control;
        Letter letter;
        struct iovec iov = { .iov_base = &letter, .iov_len = sizeof(letter) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        const ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (size < 0)
                return errno == EAGAIN ? 0 : -errno;
        return size == 0 ? 0 : take_up_letter(router, &letter, (size_t)size, &message);
}

void store_take_up_consume(Router *router, int fd)
{
        size_t n = 0;
        int r;

        while ((r = take_up_next(router, fd)) > 0)
                n += (size_t)r;
        close_fd(fd);
        if (r < 0) {
                errno = -r;
                log_warning("can't take up all connections that were pending before: %m");
        }
        log_info("took up %zu connections that were pending before", n);
}

void store_forget(const char *name)
{
        (void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}
