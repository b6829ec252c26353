/* SPDX-License-Identifier: MIT */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "util/cleanup.h"
#include "util/log.h"

#define LINE_MAX_BYTES 2048

static bool log_to_journal;

/* sd-daemon(3): JOURNAL_STREAM names device and inode of the stream that leads to the journal. */
void log_open(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long device, inode;
        struct stat st;

        log_to_journal = stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
                         fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device &&
                         st.st_ino == inode;
}

static void log_add_field(struct iovec *iov, int *n, char *buffer, size_t size, const char *name,
                          const char *value)
{
        int length;

        if (!value)
                return;
        length = snprintf(buffer, size, "%s=%s", name, value);
        if (length < 0)
                return;
        iov[(*n)++] = (struct iovec){ buffer, (size_t)length < size ? (size_t)length : size - 1 };
}

static void log_write_journal(int level, const LogFields *fields, const char *line)
{
        char message[LINE_MAX_BYTES + 16], priority[16], instance[64], host[512], peer[128];
        char level_text[8], message_id[64], reason[64];
        struct iovec iov[7];
        int n = 0;

        snprintf(level_text, sizeof(level_text), "%d", level);
        log_add_field(iov, &n, message, sizeof(message), "MESSAGE", line);
        log_add_field(iov, &n, priority, sizeof(priority), "PRIORITY", level_text);
        if (fields) {
                log_add_field(iov, &n, message_id, sizeof(message_id), "MESSAGE_ID",
                              fields->message_id);
                log_add_field(iov, &n, instance, sizeof(instance), "BELLHOP_INSTANCE",
                              fields->instance);
                log_add_field(iov, &n, host, sizeof(host), "BELLHOP_HOST", fields->host);
                log_add_field(iov, &n, peer, sizeof(peer), "BELLHOP_PEER", fields->peer);
                log_add_field(iov, &n, reason, sizeof(reason), "BELLHOP_REASON", fields->reason);
        }
        (void)sd_journal_sendv(iov, n);
}

void log_full_args(int level, const LogFields *fields, const char *format, va_list args)
{
        const int saved = errno;
        char line[LINE_MAX_BYTES];

        (void)vsnprintf(line, sizeof(line), format, args);
        if (log_to_journal)
                log_write_journal(level, fields, line);
        else
                fprintf(stderr, "<%d>%s\n", level, line);
        errno = saved;
}

void log_full(int level, const LogFields *fields, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_full_args(level, fields, format, args);
        va_end(args);
}

bool log_limit_pass(LogLimit *limit, uint64_t now_usec, unsigned *ret_left_out)
{
        if (now_usec - limit->begin_usec >= limit->interval_usec) {
                limit->begin_usec = now_usec;
                limit->n = 0;
        }
        if (limit->n >= limit->burst) {
                limit->n_left_out++;
                return false;
        }
        limit->n++;
        *ret_left_out = limit->n_left_out;
        limit->n_left_out = 0;
        return true;
}
