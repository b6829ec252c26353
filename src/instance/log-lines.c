/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "instance/lines.h"
#include "instance/log-lines.h"
#include "util/journal.h"

typedef enum Sent {
        SENT,
        SENT_NOT,     /* counted */
        SENT_NOWHERE, /* nobody listens there, now or later */
} Sent;

/* In memory that all processes of the server share, as a process that ends can't report its
 * losses. */
static struct LogLinesShared {
        atomic_bool hang; /* bellhop-log hangs: no process waits */
        atomic_uint_fast64_t lost;
} * shared;

static const char *instance_name;
static char error_identifier[160];
static int lines_fd = -EBADF;

void log_lines_init(const char *instance)
{
        instance_name = instance;
        (void)snprintf(error_identifier, sizeof(error_identifier), "bellhop-%s", instance);
}

void log_lines_use(int fd)
{
        void *memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return;
        shared = memory;
        lines_fd = fd;
}

static void log_lines_journal(const char *identifier, int level, const char *text)
{
        (void)journal_write(&(JournalLine){
                .identifier = identifier,
                .level = level,
                .text = text,
                .fields = { .instance = instance_name },
        });
}

__attribute__((format(printf, 1, 2))) static void log_lines_warn(const char *format, ...)
{
        char text[256];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        log_lines_journal(error_identifier, LOG_WARNING, text);
}

void log_lines_report_lost(void)
{
        const uint64_t lost = shared ? atomic_exchange(&shared->lost, 0) : 0;

        if (lost > 0)
                log_lines_warn("%" PRIu64 " lines of the log files are lost: bellhop-log did not "
                               "accept them in time",
                               lost);
}

static Sent log_lines_send(LinesKind kind, int level, const char *text, size_t size)
{
        const bool waits = !atomic_load(&shared->hang);
        char priority[16];
        const int n = snprintf(priority, sizeof(priority), "<%d>", (int)kind * 8 + level);
        struct iovec iov[] = {
                { priority, (size_t)n },
                { (char *)text, size < LINES_BYTES_MAX ? size : LINES_BYTES_MAX },
        };
        const struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
        ssize_t sent;

        /* SO_SNDTIMEO limits the wait. Filters of the sandbox examine the arguments of sendmsg(2),
         * which costs more than the rest of this function. They do not examine writev(2). */
        do
                sent = waits ? writev(lines_fd, iov, 2)
                             : sendmsg(lines_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (sent < 0 && errno == EINTR);
        if (sent >= 0) {
                atomic_store(&shared->hang, false);
                return SENT;
        }
        if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
                return SENT_NOWHERE;
        atomic_store(&shared->hang, true);
        atomic_fetch_add(&shared->lost, 1);
        return SENT_NOT;
}

/* False: the line belongs in the journal. */
static bool log_lines_write_file(LinesKind kind, int level, const char *text, size_t size)
{
        static atomic_bool is_gone, is_hanging;

        if (lines_fd < 0 || atomic_load(&is_gone))
                return false;
        switch (log_lines_send(kind, level, text, size)) {
        case SENT:
                log_lines_report_lost();
                atomic_store(&is_hanging, false);
                return true;
        case SENT_NOT:
                if (!atomic_exchange(&is_hanging, true))
                        log_lines_warn("lines of the log files are being lost: bellhop-log accepts "
                                       "none; see 'systemctl status bellhop-log.service'");
                return true;
        case SENT_NOWHERE:
        default:
                if (!atomic_exchange(&is_gone, true))
                        log_lines_warn("the socket of bellhop-log is gone, and log lines go to the "
                                       "journal until 'systemctl restart bellhop@%s.service'",
                                       instance_name);
                return false;
        }
}

bool log_lines_write(LinesKind kind, int level, const char *text, size_t size, bool is_file)
{
        if (is_file && log_lines_write_file(kind, level, text, size))
                return true;
        log_lines_journal(kind == LINES_ACCESS ? "bellhop-access" : error_identifier, level, text);
        return false;
}
