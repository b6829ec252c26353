/* SPDX-License-Identifier: MIT */
/* Writes each line of `CustomLog journal:` as a journal entry; other logs keep their writer. Not by
 * libsystemd: with the libraries that it needs, it would take memory of every Apache process. The
 * protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL. */
#include <endian.h>
#include <mod_log_config.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <apr_strings.h>

#include "httpd/journal.h"

static ap_log_writer_init *next_init;
static ap_log_writer *next_writer;
static char is_journal; /* its address is the handle of our logs */
static int journal_fd = -EBADF;
static char fields[160]; /* of each entry, behind the message */
static size_t fields_size;

static void *open_log(apr_pool_t *pool, server_rec *server, const char *name)
{
        if (strcmp(name, JOURNAL_LOG_NAME) == 0)
                return &is_journal;
        return next_init(pool, server, name);
}

static apr_status_t write_line(request_rec *request, void *handle, const char **portions,
                               int *lengths, int n, apr_size_t size)
{
        static struct sockaddr_un journald = { AF_UNIX, "/run/systemd/journal/socket" };
        struct {
                char name[8];
                uint64_t size;
        } message = { "MESSAGE=", 0 };
        struct iovec *iov;
        struct msghdr entry = { .msg_name = &journald, .msg_namelen = sizeof(journald) };

        if (handle != &is_journal)
                return next_writer(request, handle, portions, lengths, n, size);

        iov = apr_palloc(request->pool, ((size_t)n + 2) * sizeof(*iov));
        iov[0] = (struct iovec){ &message, sizeof(message.name) };
        for (int i = 0; i < n; i++) {
                iov[1 + i] = (struct iovec){ (char *)portions[i], (size_t)lengths[i] };
                /* Only a value with its size in front may have more than one line. */
                if (i < n - 1 && memchr(portions[i], '\n', (size_t)lengths[i])) {
                        iov[0].iov_len = sizeof(message);
                        message.name[sizeof(message.name) - 1] = '\n';
                }
        }
        /* The last portion is the end of the line. */
        iov[n] = (struct iovec){ fields, fields_size };
        message.size = htole64(size - (apr_size_t)lengths[n - 1]);
        entry.msg_iov = iov;
        entry.msg_iovlen = (size_t)n + 1;
        return sendmsg(journal_fd, &entry, MSG_NOSIGNAL) < 0 ? errno : APR_SUCCESS;
}

void journal_join(void)
{
        journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void journal_init(const char *instance)
{
        APR_OPTIONAL_FN_TYPE(ap_log_set_writer_init) *set_init =
                APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer_init);
        APR_OPTIONAL_FN_TYPE(ap_log_set_writer) *set_writer =
                APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer);

        if (!set_init || !set_writer)
                return;
        fields_size = (size_t)apr_snprintf(fields, sizeof(fields),
                                           "\nPRIORITY=6\nSYSLOG_IDENTIFIER=bellhop-access\n"
                                           "BELLHOP_INSTANCE=%s\n",
                                           instance);
        /* mod_log_config forgets both at a reload, before this file is unloaded. */
        next_init = set_init(open_log);
        next_writer = set_writer(write_line);
}
