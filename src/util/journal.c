/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/journal.h"

#define JOURNAL_FIELDS_MAX 8

/* The size of the send buffer that is requested; the kernel may set a smaller size. With a small
 * buffer, the lines of a burst would be lost before journald's queue is full. */
#define JOURNAL_SEND_BYTES (1024 * 1024)

/* The longest wait of journal_finish(), in milliseconds. */
#define JOURNAL_FINISH_MSEC 1000

static const struct sockaddr_un journald = { AF_UNIX, "/run/systemd/journal/socket" };

static int journal_fd = -EBADF;
static atomic_uint_fast64_t journal_lost, journal_unreported;

typedef struct JournalField {
        struct iovec name, equals, value, end;
        struct __attribute__((packed)) {
                char newline;
                uint64_t size;
        } size;
} JournalField;

/* In the native protocol, "=" separates name and value. If the value has several lines, a newline
 * and the size of the value replace the "=". */
static void journal_set_field(JournalField *field, const char *name, const char *value)
{
        const size_t size = strlen(value);

        field->size.newline = '\n';
        field->size.size = htole64(size);
        field->name = (struct iovec){ (char *)name, strlen(name) };
        field->equals = strchr(value, '\n') ? (struct iovec){ &field->size, sizeof(field->size) }
                                            : (struct iovec){ (char *)"=", 1 };
        field->value = (struct iovec){ (char *)value, size };
        field->end = (struct iovec){ (char *)"\n", 1 };
}

static bool journal_send(const JournalLine *line)
{
        const char priority[] = { (char)('0' + line->level), 0 };
        const char *const all[JOURNAL_FIELDS_MAX][2] = {
                { "MESSAGE", line->text },
                { "PRIORITY", priority },
                { "SYSLOG_IDENTIFIER", line->identifier },
                { "MESSAGE_ID", line->fields.message_id },
                { "BELLHOP_INSTANCE", line->fields.instance },
                { "BELLHOP_HOST", line->fields.host },
                { "BELLHOP_PEER", line->fields.peer },
                { "BELLHOP_REASON", line->fields.reason },
        };
        JournalField fields[JOURNAL_FIELDS_MAX];
        struct iovec iov[4 * JOURNAL_FIELDS_MAX];
        struct msghdr entry = {
                .msg_name = (void *)&journald,
                .msg_namelen = sizeof(journald),
                .msg_iov = iov,
        };

        for (size_t i = 0; i < JOURNAL_FIELDS_MAX; i++) {
                if (!all[i][1])
                        continue;
                journal_set_field(&fields[i], all[i][0], all[i][1]);
                iov[entry.msg_iovlen++] = fields[i].name;
                iov[entry.msg_iovlen++] = fields[i].equals;
                iov[entry.msg_iovlen++] = fields[i].value;
                iov[entry.msg_iovlen++] = fields[i].end;
        }
        return sendmsg(journal_fd, &entry, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* Does not wait: if standard error is a full pipe or socket, the line is lost. */
static bool journal_print(const JournalLine *line)
{
        struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

        return poll(&out, 1, 0) > 0 && (out.revents & POLLOUT) &&
               dprintf(STDERR_FILENO, "<%d>%s\n", line->level, line->text) >= 0;
}

static bool journal_try(const JournalLine *line)
{
        return journal_fd < 0 ? journal_print(line) : journal_send(line);
}

static bool journal_report(const JournalLine *next, uint64_t n)
{
        char text[128];

        (void)snprintf(text, sizeof(text),
                       "%" PRIu64 " lines of this log were lost: no process read them in time", n);
        return journal_try(&(JournalLine){
                .identifier = next->identifier,
                .level = LOG_WARNING,
                .text = text,
                .fields = { .instance = next->fields.instance },
        });
}

bool journal_write(const JournalLine *line)
{
        const uint64_t n = atomic_exchange(&journal_unreported, 0);

        if (n > 0 && !journal_report(line, n)) {
                atomic_fetch_add(&journal_unreported, n + 1);
        } else if (!journal_try(line)) {
                atomic_fetch_add(&journal_unreported, 1);
        } else {
                return true;
        }
        atomic_fetch_add(&journal_lost, 1);
        return false;
}

uint64_t journal_n_lost(void)
{
        return atomic_load(&journal_lost);
}

int journal_open(void)
{
        journal_close();
        journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (journal_fd < 0)
                return -errno;
        (void)setsockopt(journal_fd, SOL_SOCKET, SO_SNDBUF, &(int){ JOURNAL_SEND_BYTES },
                         sizeof(int));
        return 0;
}

/* journald ignores the empty datagram. When journald has read it, journald has looked up the
 * senders of all lines before it. */
void journal_finish(void)
{
        int unread;

        if (journal_fd < 0 || sendto(journal_fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL,
                                     (const struct sockaddr *)&journald, sizeof(journald)) < 0)
                return;
        for (int i = 0; i < JOURNAL_FINISH_MSEC; i++) {
                if (ioctl(journal_fd, TIOCOUTQ, &unread) < 0 || unread == 0)
                        return;
                (void)usleep(1000);
        }
}

void journal_close(void)
{
        journal_fd = close_fd(journal_fd);
        atomic_store(&journal_unreported, 0);
}
