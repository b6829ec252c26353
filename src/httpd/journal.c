/* SPDX-License-Identifier: MIT */
/* Writes each line of `CustomLog journal:` as a journal entry; other logs keep their writer. */
#include <mod_log_config.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include <apr_strings.h>

#include "httpd/journal.h"
#include "util/cleanup.h"
#include "util/span.h"

static ap_log_writer_init *next_init;
static ap_log_writer *next_writer;
static char *instance_field;
static char is_journal; /* its address is the handle of our logs */

static void *open_log(apr_pool_t *pool, server_rec *server, const char *name)
{
        if (strcmp(name, JOURNAL_LOG_NAME) == 0)
                return &is_journal;
        return next_init(pool, server, name);
}

static apr_status_t write_line(request_rec *request, void *handle, const char **portions,
                               int *lengths, int n, apr_size_t size)
{
        static const char prefix[] = "MESSAGE=";
        char *message, *end;

        if (handle != &is_journal)
                return next_writer(request, handle, portions, lengths, n, size);

        message = apr_palloc(request->pool, sizeof(prefix) + size);
        end = (char *)memcpy(message, prefix, sizeof(prefix) - 1) + sizeof(prefix) - 1;
        for (int i = 0; i < n; i++) {
                memcpy(end, portions[i], (size_t)lengths[i]);
                end += lengths[i];
        }
        if (end[-1] == '\n')
                end--;

        const struct iovec fields[] = {
                { message, (size_t)(end - message) },
                { (char *)"PRIORITY=6", strlen("PRIORITY=6") },
                { (char *)"SYSLOG_IDENTIFIER=bellhop-access",
                  strlen("SYSLOG_IDENTIFIER=bellhop-access") },
                { instance_field, strlen(instance_field) },
        };
        return -sd_journal_sendv(fields, ELEMENTSOF(fields));
}

void journal_init(const char *instance)
{
        static char field[64];
        APR_OPTIONAL_FN_TYPE(ap_log_set_writer_init) *set_init =
                APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer_init);
        APR_OPTIONAL_FN_TYPE(ap_log_set_writer) *set_writer =
                APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer);

        if (!set_init || !set_writer)
                return;
        apr_snprintf(field, sizeof(field), "BELLHOP_INSTANCE=%s", instance);
        instance_field = field;
        /* mod_log_config forgets both at a reload, before this file is unloaded. */
        next_init = set_init(open_log);
        next_writer = set_writer(write_line);
}
