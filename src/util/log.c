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

static void log_write_journal(int level, const LogFields *fields, const char *line)
{
        const char priority[] = { (char)('0' + level), 0 };
        const char *const all[][2] = {
                { "MESSAGE", line },
                { "PRIORITY", priority },
                { "MESSAGE_ID", fields->message_id },
                { "BELLHOP_INSTANCE", fields->instance },
                { "BELLHOP_HOST", fields->host },
                { "BELLHOP_PEER", fields->peer },
                { "BELLHOP_REASON", fields->reason },
        };
        char buffer[LINE_MAX_BYTES + 1024];
        struct iovec iov[ELEMENTSOF(all)];
        size_t used = 0;
        int n = 0;

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                const size_t room = sizeof(buffer) - used;
                const int size =
                        all[i][1] ? snprintf(buffer + used, room, "%s=%s", all[i][0], all[i][1])
                                  : 0;

                if (size <= 0 || (size_t)size >= room)
                        continue;
                iov[n++] = (struct iovec){ buffer + used, (size_t)size };
                used += (size_t)size;
        }
        (void)sd_journal_sendv(iov, n);
}

void log_full_args(int level, const LogFields *fields, const char *format, va_list args)
{
        const int saved = errno;
        char line[LINE_MAX_BYTES];

        (void)vsnprintf(line, sizeof(line), format, args);
        if (log_to_journal)
                log_write_journal(level, fields ? fields : &(LogFields){ .host = NULL }, line);
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
