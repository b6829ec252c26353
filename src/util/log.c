/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/log.h"

#define LINE_MAX_BYTES 2048

/* Compares stderr with $JOURNAL_STREAM, which has the device and the inode of the stream that leads
 * to the journal: see systemd.exec(5). */
static bool log_leads_to_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(void)
{
        if (log_leads_to_journal())
                (void)journal_open();
}

void log_full_args(int level, const LogFields *fields, const char *format, va_list args)
{
        const int saved = errno;
        char text[LINE_MAX_BYTES];
        JournalLine line = {
                .identifier = program_invocation_short_name,
                .level = level,
                .text = text,
        };

        if (fields)
                line.fields = *fields;
        (void)vsnprintf(text, sizeof(text), format, args);
        (void)journal_write(&line);
        errno = saved;
}

void log_full(int level, const LogFields *fields, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_full_args(level, fields, format, args);
        va_end(args);
}

int log_end(int status)
{
        if (status != EXIT_SUCCESS)
                journal_finish();
        return status;
}
