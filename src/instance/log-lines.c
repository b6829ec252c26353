/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "instance/lines.h"
#include "instance/log-lines.h"
#include "util/journal.h"

typedef enum Sent {
        SENT,
        SENT_NOT,     /* the line is lost, and counted as lost */
        SENT_NOWHERE, /* the socket is gone, so later lines can't be sent either */
} Sent;

/* Room for about a hundred lines. */
#define GATHERED_BYTES (16 * 1024)
#define GATHERERS      64

typedef struct Gathered {
        size_t size;
        char text[GATHERED_BYTES + 1]; /* the last byte is for a terminating NUL */
} Gathered;

/* All processes of the server share this memory. A process that has ended can't report its lost
 * lines, and a process that has crashed can't send its gathered lines, so another process does this
 * for it. */
static struct LogLinesShared {
        atomic_bool hang; /* bellhop-log hangs, so no process waits for it */
        atomic_uint_fast64_t lost;
        Gathered gathered[GATHERERS]; /* unused buffers take no memory */
} * shared;

static Gathered *gathered; /* the buffer of this process */

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
                log_lines_warn("%" PRIu64 " lines of the log files were lost: bellhop-log did not "
                               "accept them in time",
                               lost);
}

static uint64_t log_lines_count(LinesKind kind, const char *text, size_t size)
{
        const char *end = text + size;
        uint64_t n = 1;

        if (kind == LINES_SEVERAL)
                while ((text = memmem(text, (size_t)(end - text), LINES_SEPARATOR,
                                      strlen(LINES_SEPARATOR)))) {
                        text += strlen(LINES_SEPARATOR);
                        n++;
                }
        return n;
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

        /* Usually writev(2) sends the line, and SO_SNDTIMEO limits its wait. If bellhop-log hangs,
         * sendmsg(2) sends the line without a wait. sendmsg(2) is slower, because seccomp filters
         * of the sandbox examine its arguments.
         */
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
        atomic_fetch_add(&shared->lost, log_lines_count(kind, text, size));
        return SENT_NOT;
}

/* Returns false if the caller must write the line to the journal. */
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

void log_lines_join(unsigned number)
{
        if (!shared || number >= GATHERERS)
                return;
        gathered = &shared->gathered[number];
        log_lines_flush();
}

/* Writes each gathered line to the journal as a separate entry. */
static void log_lines_journal_gathered(void)
{
        char *line = gathered->text, *end;

        line[gathered->size] = 0;
        do {
                end = strstr(line, LINES_SEPARATOR);
                if (end)
                        *end = 0;
                log_lines_journal("bellhop-access", LOG_INFO, line);
                line = end ? end + strlen(LINES_SEPARATOR) : NULL;
        } while (line);
}

void log_lines_flush(void)
{
        LinesKind kind;

        if (!gathered || gathered->size == 0 || gathered->size > GATHERED_BYTES)
                return;
        kind = memmem(gathered->text, gathered->size, LINES_SEPARATOR, strlen(LINES_SEPARATOR))
                       ? LINES_SEVERAL
                       : LINES_ACCESS;
        if (!log_lines_write_file(kind, LOG_INFO, gathered->text, gathered->size))
                log_lines_journal_gathered();
        gathered->size = 0;
}

bool log_lines_gather(const char *text, size_t size)
{
        const size_t separator_size = strlen(LINES_SEPARATOR);

        if (gathered && gathered->size + separator_size + size > GATHERED_BYTES)
                log_lines_flush();
        if (!gathered || size > GATHERED_BYTES) {
                (void)log_lines_write(LINES_ACCESS, LOG_INFO, text, size, true);
                return false;
        }
        if (gathered->size > 0) {
                memcpy(gathered->text + gathered->size, LINES_SEPARATOR, separator_size);
                memcpy(gathered->text + gathered->size + separator_size, text, size);
                gathered->size += separator_size + size;
        } else {
                memcpy(gathered->text, text, size);
                gathered->size = size;
        }
        return true;
}
