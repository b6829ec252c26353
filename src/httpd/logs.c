/* SPDX-License-Identifier: MIT */
/* Apache 2.4 has one way to write error logs elsewhere: it opens /dev/null, and we write what the
 * hook of the error log gets, as Apache would for syslog. By syslog(3) a worker would wait for
 * journald. */
#include <mod_log_config.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "httpd/logs.h"
#include "util/journal.h"

#define JOURNAL_LOG_NAME "journal:"

static ap_log_writer_init *next_init;
static ap_log_writer *next_writer;
static char is_journal;                    /* its address is the handle of our access logs */
static char no_error_file[] = "/dev/null"; /* as is this one of our error logs */
static char error_identifier[160];
static const server_rec *main_server;
static const char *instance_name;
static bool is_open;

/* --- access log --- */

static void *access_open(apr_pool_t *pool, server_rec *server, const char *name)
{
        if (strcmp(name, JOURNAL_LOG_NAME) == 0)
                return &is_journal;
        return next_init(pool, server, name);
}

static apr_status_t access_write(request_rec *request, void *handle, const char **portions,
                                 int *lengths, int n, apr_size_t size)
{
        char *text, *at;

        if (handle != &is_journal)
                return next_writer(request, handle, portions, lengths, n, size);
        text = at = apr_palloc(request->pool, size + 1);
        /* The last portion is the end of the line. */
        for (int i = 0; i < n - 1; i++) {
                memcpy(at, portions[i], (size_t)lengths[i]);
                at += lengths[i];
        }
        *at = 0;
        (void)journal_write(&(JournalLine){
                .identifier = "bellhop-access",
                .level = LOG_INFO,
                .text = text,
                .fields = { .instance = instance_name },
        });
        return APR_SUCCESS;
}

/* --- error log --- */

/* A server without a log of its own has that of the main server. */
static bool error_is_ours(const server_rec *server)
{
        const server_rec *owner = server && server->error_fname ? server : main_server;

        return is_open && owner->error_fname == no_error_file;
}

static int error_level_max(const ap_errorlog_info *info)
{
        if (info->r)
                return ap_get_request_module_loglevel(info->r, info->module_index);
        if (!info->s || !info->s->module_config)
                return ap_default_loglevel;
        return info->c ? ap_get_conn_server_module_loglevel(info->c, info->s, info->module_index)
                       : ap_get_server_module_loglevel(info->s, info->module_index);
}

/* "[module:level] file(line): (status)reason: [client address:port] " */
static void error_add_prefix(const ap_errorlog_info *info, char *text, apr_size_t room)
{
        static const char *const levels[] = { "emerg", "alert",  "crit", "error",
                                              "warn",  "notice", "info", "debug" };
        char *at = text;
        char *const end = text + room;

        *at = 0;
        if (!info->startup && info->level <= APLOG_DEBUG)
                at += apr_snprintf(at, room, "[%s:%s] ",
                                   ap_find_module_short_name(info->module_index),
                                   levels[info->level]);
        else if (!info->startup)
                at += apr_snprintf(at, room, "[%s:trace%d] ",
                                   ap_find_module_short_name(info->module_index),
                                   info->level - APLOG_DEBUG);
        if (info->level >= APLOG_DEBUG && info->file)
                at += apr_snprintf(at, (apr_size_t)(end - at), "%s(%d): ", basename(info->file),
                                   info->line);
        if (info->status) {
                at += apr_snprintf(at, (apr_size_t)(end - at), "(%d)", info->status);
                (void)apr_strerror(info->status, at, (apr_size_t)(end - at));
                at += strlen(at);
                at += apr_snprintf(at, (apr_size_t)(end - at), ": ");
        }
        if (info->r)
                (void)apr_snprintf(at, (apr_size_t)(end - at), "[client %s:%d] ",
                                   info->r->useragent_ip,
                                   info->r->useragent_addr ? info->r->useragent_addr->port : 0);
        else if (info->c)
                (void)apr_snprintf(at, (apr_size_t)(end - at), "[client %s:%d] ",
                                   info->c->client_ip,
                                   info->c->client_addr ? info->c->client_addr->port : 0);
}

/* message: one line, as Apache has escaped it. */
static void error_write(const ap_errorlog_info *info, const char *message)
{
        const char *referer = info->r ? apr_table_get(info->r->headers_in, "Referer") : NULL;
        char text[2 * MAX_STRING_LEN], *at;

        /* To a file Apache writes notices whatever LogLevel is; to syslog it does not. */
        if (!error_is_ours(info->s) || info->level > error_level_max(info))
                return;
        error_add_prefix(info, text, MAX_STRING_LEN / 2);
        at = apr_cpystrn(text + strlen(text), message, MAX_STRING_LEN);
        if (referer) {
                at = apr_cpystrn(at, ", referer: ", (apr_size_t)(text + sizeof(text) - at));
                (void)ap_escape_errorlog_item(at, referer, (apr_size_t)(text + sizeof(text) - at));
        }
        (void)journal_write(&(JournalLine){
                .identifier = error_identifier,
                .level = info->level < LOG_DEBUG ? info->level : LOG_DEBUG,
                .text = text,
                .fields = { .instance = instance_name },
        });
}

/* --- set-up --- */

static void init_access(void)
{
        APR_OPTIONAL_FN_TYPE(ap_log_set_writer_init) *set_init =
                APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer_init);
        APR_OPTIONAL_FN_TYPE(ap_log_set_writer) *set_writer =
                APR_RETRIEVE_OPTIONAL_FN(ap_log_set_writer);

        if (!set_init || !set_writer)
                return;
        /* mod_log_config forgets both at a reload, before this file is unloaded. */
        next_init = set_init(access_open);
        next_writer = set_writer(access_write);
}

void logs_init(server_rec *server, const char *instance)
{
        main_server = server;
        instance_name = instance;
        (void)apr_snprintf(error_identifier, sizeof(error_identifier), "bellhop-%s", instance);
        for (server_rec *at = server; at; at = at->next)
                if (at->error_fname && strcmp(at->error_fname, JOURNAL_LOG_NAME) == 0)
                        at->error_fname = no_error_file;
        init_access();
}

static apr_status_t logs_close(void *unused)
{
        is_open = false;
        journal_close();
        return APR_SUCCESS;
}

void logs_open(apr_pool_t *pool)
{
        if (is_open || journal_open() < 0)
                return;
        is_open = true;
        apr_pool_cleanup_register(pool, NULL, logs_close, apr_pool_cleanup_null);
}

void logs_join(void)
{
        (void)journal_open();
}

void logs_register_hooks(void)
{
        ap_hook_error_log(error_write, NULL, NULL, APR_HOOK_MIDDLE);
}
