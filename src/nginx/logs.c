/* SPDX-License-Identifier: MIT */
/* nginx itself can write logs only to files, which a customer's processes must not hold open, or to
 * syslog, which loses lines. So ngx_bellhop_module writes the logs. */
#include <syslog.h>

#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_event.h>

#include "instance/log-lines.h"
#include "nginx/logs.h"
#include "util/journal.h"

/* Room for everything in an access line except the client's texts. Each byte of these texts needs
 * up to four bytes. */
#define FIXED_BYTES 256

static const char *instance_name;
static bool is_file;
static ngx_event_t round_end;

/* Escapes text as Apache does in its logs, so that no byte ends the line or controls a terminal.
 * special: the bytes that have their own escape letters. letters: these letters, in the same order.
 * Writes at most four bytes for each byte of the text. */
static u_char *logs_escape(u_char *at, const u_char *text, size_t size, const char *special,
                           const char *letters)
{
        for (size_t i = 0; i < size; i++) {
                const u_char c = text[i];
                /* This avoids strchr() for nearly all bytes. */
                const bool may_be_special = c < ' ' || c == '"' || c == '\\';
                const char *found = c && may_be_special ? strchr(special, c) : NULL;

                if (found) {
                        *at++ = '\\';
                        *at++ = (u_char)letters[found - special];
                } else if (c >= ' ' && c < 0x7f) {
                        *at++ = c;
                } else {
                        at = ngx_sprintf(at, "\\x%02xi", (ngx_int_t)c);
                }
        }
        return at;
}

/* The number of a level in nginx is that of syslog(3) plus one. The text is escaped here, because
 * nginx puts names of files and headers of clients into it without escapes. */
static void logs_write_error(ngx_log_t *log, ngx_uint_t level, u_char *text, size_t size)
{
        u_char line[4 * NGX_MAX_ERROR_STR + 1], *end;

        while (size > 0 && text[size - 1] == '\n')
                size--;
        if (size > NGX_MAX_ERROR_STR)
                size = NGX_MAX_ERROR_STR;
        end = logs_escape(line, text, size, "\b\n\r\t\v\\", "bnrtv\\");
        *end = 0;
        (void)log_lines_write(LINES_ERROR, level > NGX_LOG_EMERG ? (int)level - 1 : LOG_EMERG,
                              (char *)line, (size_t)(end - line), is_file);
}

void logs_open(ngx_cycle_t *cycle, const char *instance, bool are_files)
{
        instance_name = instance;
        is_file = are_files;
        log_lines_init(instance);
        if (journal_open() >= 0)
                cycle->new_log.writer = logs_write_error;
}

static void logs_on_round_end(ngx_event_t *unused)
{
        log_lines_flush();
}

void logs_join(ngx_log_t *log)
{
        round_end = (ngx_event_t){ .handler = logs_on_round_end, .log = log };
        log_lines_join((unsigned)ngx_process_slot);
}

void logs_flush(void)
{
        log_lines_flush();
}

/* Adds a text to an access line, with escapes, or "-" if there is no text. */
static u_char *logs_add(u_char *at, const ngx_str_t *text)
{
        if (text && text->len > 0)
                return logs_escape(at, text->data, text->len, "\b\n\r\t\v\"\\", "bnrtv\"\\");
        *at++ = '-';
        return at;
}

static ngx_uint_t logs_status(const ngx_http_request_t *request)
{
        return request->err_status ? request->err_status : request->headers_out.status;
}

/* Writes "%V:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"", which is
 * vhost_combined of Debian's Apache, but with the host that the client requested. */
void logs_write_access(ngx_http_request_t *request)
{
        const ngx_connection_t *connection = request->connection;
        const ngx_table_elt_t *referer = request->headers_in.referer,
                              *agent = request->headers_in.user_agent;
        const ngx_str_t name = { strlen(instance_name), (u_char *)instance_name };
        const ngx_str_t *const texts[] = {
                request->headers_in.server.len > 0 ? &request->headers_in.server : &name,
                &request->headers_in.user,
                &request->request_line,
                referer ? &referer->value : NULL,
                agent ? &agent->value : NULL,
        };
        size_t size = FIXED_BYTES + connection->addr_text.len;
        u_char *line, *at;

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                size += texts[i] ? 4 * texts[i]->len : 1;
        line = at = ngx_pnalloc(request->pool, size);
        if (!line)
                return;
        at = logs_add(at, texts[0]);
        at = ngx_sprintf(at, ":%d %V - ", (int)ngx_inet_get_port(connection->local_sockaddr),
                         &connection->addr_text);
        at = logs_add(at, texts[1]);
        at = ngx_sprintf(at, " [%V] \"", &ngx_cached_http_log_time);
        at = logs_add(at, texts[2]);
        at = ngx_sprintf(at, "\" %03ui %O \"", logs_status(request), connection->sent);
        at = logs_add(at, texts[3]);
        at = ngx_sprintf(at, "\" \"");
        at = logs_add(at, texts[4]);
        *at++ = '"';
        *at = 0;
        if (!is_file) {
                (void)log_lines_write(LINES_ACCESS, LOG_INFO, (char *)line, (size_t)(at - line),
                                      false);
        } else if (log_lines_gather((char *)line, (size_t)(at - line))) {
                ngx_post_event(&round_end, &ngx_posted_events);
        }
}
