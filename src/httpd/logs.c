/* SPDX-License-Identifier: MIT */
/* In Apache 2.4, a module can write the error log to another place only in one way: Apache writes
 * the log to /dev/null, and the module writes the lines that its hook error_log gets. Apache itself
 * could write the log with syslog(3), but then a worker would wait for journald. */
#include <mod_log_config.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <util_time.h>

#include "httpd/logs.h"
#include "instance/log-lines.h"
#include "util/journal.h"

typedef enum LogPlace {
        LOG_JOURNAL,
        LOG_FILES,
        LOG_PLACES,
} LogPlace;

static const char *const place_names[LOG_PLACES] = { "journal:", "files:" };

static ap_log_writer_init *next_init;
static ap_log_writer *next_writer;
/* The addresses of these variables identify this module's access and error logs. */
static char access_places[LOG_PLACES];
static char error_files[LOG_PLACES][sizeof("/dev/null")] = { "/dev/null", "/dev/null" };
static const server_rec *main_server;
static bool is_open;

/* --- access log --- */

static void *access_open(apr_pool_t *pool, server_rec *server, const char *name)
{
        for (size_t i = 0; i < LOG_PLACES; i++)
                if (strcmp(name, place_names[i]) == 0)
                        return &access_places[i];
        return next_init(pool, server, name);
}

static apr_status_t access_write(request_rec *request, void *handle, const char **portions,
                                 int *lengths, int n, apr_size_t size)
{
        const bool is_file = handle == &access_places[LOG_FILES];
        char *text, *at;

        if (!is_file && handle != &access_places[LOG_JOURNAL])
                return next_writer(request, handle, portions, lengths, n, size);
        text = at = apr_palloc(request->pool, size + 1);
        /* The last portion is the newline, which is left out. */
        for (int i = 0; i < n - 1; i++) {
                memcpy(at, portions[i], (size_t)lengths[i]);
                at += lengths[i];
        }
        *at = 0;
        (void)log_lines_write(LINES_ACCESS, LOG_INFO, text, (size_t)(at - text), is_file);
        return APR_SUCCESS;
}

/* --- error log --- */

/* Returns the place of a server's error log, or LOG_PLACES if this log is neither "journal:" nor
 * "files:". A server without its own log uses the log of the main server. */
static LogPlace error_place(const server_rec *server)
{
        const server_rec *owner = server && server->error_fname ? server : main_server;

        for (LogPlace place = 0; is_open && place < LOG_PLACES; place++)
                if (owner->error_fname == error_files[place])
                        return place;
        return LOG_PLACES;
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

/* Writes the start of a line of the error log, as Apache does in a file: "[time] [module:level]
 * [pid N:tid N] ". Returns its end. */
static char *error_add_origin(const ap_errorlog_info *info, const char *level, char *text,
                              apr_size_t room)
{
        char now[APR_CTIME_LEN + sizeof(".000000")];
        int size = sizeof(now);

        (void)ap_recent_ctime_ex(now, apr_time_now(), AP_CTIME_OPTION_USEC, &size);
        return text + apr_snprintf(text, room, "[%s] [%s:%s] [pid %d:tid %d] ", now,
                                   ap_find_module_short_name(info->module_index), level, getpid(),
                                   gettid());
}

/* Writes "[module:level] file(line): (status)reason: [client address:port] " and leaves out the
 * parts that are not known. */
static void error_add_prefix(const ap_errorlog_info *info, LogPlace place, char *text,
                             apr_size_t room)
{
        static const char *const levels[] = { "emerg",  "alert",  "crit",   "error",
                                              "warn",   "notice", "info",   "debug",
                                              "trace1", "trace2", "trace3", "trace4",
                                              "trace5", "trace6", "trace7", "trace8" };
        char *at = text;
        char *const end = text + room;

        *at = 0;
        if (place == LOG_FILES)
                at = error_add_origin(info, levels[info->level], at, room);
        else if (!info->startup)
                at += apr_snprintf(at, room, "[%s:%s] ",
                                   ap_find_module_short_name(info->module_index),
                                   levels[info->level]);
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

/* Whether a line for "files:" must also go to the journal, so that "systemctl status" shows why the
 * server can't start. */
static bool error_is_of_start(int level)
{
        const int state = ap_state_query(AP_SQ_MAIN_STATE);

        return level <= LOG_ERR && state != AP_SQ_MS_RUN_MPM && state != AP_SQ_MS_EXITING;
}

/* message: one line, which Apache has already escaped. */
static void error_write(const ap_errorlog_info *info, const char *message)
{
        const char *referer = info->r ? apr_table_get(info->r->headers_in, "Referer") : NULL;
        const int level = info->level < LOG_DEBUG ? info->level : LOG_DEBUG;
        const LogPlace place = error_place(info->s);
        char text[2 * MAX_STRING_LEN], *at;

        /* LogLevel also applies to notices, as it does in Apache for syslog. To a file, Apache
         * itself writes notices at any LogLevel. */
        if (place == LOG_PLACES || info->level > error_level_max(info))
                return;
        error_add_prefix(info, place, text, MAX_STRING_LEN / 2);
        at = apr_cpystrn(text + strlen(text), message, MAX_STRING_LEN);
        if (referer) {
                at = apr_cpystrn(at, ", referer: ", (apr_size_t)(text + sizeof(text) - at));
                (void)ap_escape_errorlog_item(at, referer, (apr_size_t)(text + sizeof(text) - at));
        }
        if (log_lines_write(LINES_ERROR, level, text, strlen(text), place == LOG_FILES) &&
            error_is_of_start(level))
                (void)log_lines_write(LINES_ERROR, level, text, strlen(text), false);
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
        /* At a reload, mod_log_config drops both functions before Apache unloads this module. */
        next_init = set_init(access_open);
        next_writer = set_writer(access_write);
}

void logs_init(server_rec *server, const char *instance)
{
        main_server = server;
        log_lines_init(instance);
        for (server_rec *at = server; at; at = at->next)
                for (size_t i = 0; at->error_fname && i < LOG_PLACES; i++)
                        if (strcmp(at->error_fname, place_names[i]) == 0)
                                at->error_fname = error_files[i];
        init_access();
}

static apr_status_t logs_close(void *unused)
{
        log_lines_report_lost();
        is_open = false;
        journal_close();
        return APR_SUCCESS;
}

void logs_use(int fd)
{
        log_lines_use(fd);
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
