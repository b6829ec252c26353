/* SPDX-License-Identifier: MIT */
/* Refuses requests that are not for this instance, and requests for files that must never be sent.
 * A refusal never contains the customer's content. Counts answered requests. */
#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_http.h>

#include "challenge/challenge.h"
#include "instance/admit.h"
#include "instance/file-names.h"
#include "instance/page.h"
#include "nginx/inbox.h"
#include "nginx/logs.h"
#include "nginx/modules.h"
#include "util/text.h"

/* Returns the connection of the client. For an HTTP/2 stream, request->connection is another
 * structure. */
static const ngx_connection_t *requests_connection(const ngx_http_request_t *request)
{
        return request->stream ? request->stream->connection->connection : request->connection;
}

/* Answers the request, and ends it. Otherwise, nginx would also pass the request to the site. */
static ngx_int_t requests_answer(ngx_http_request_t *request, ngx_uint_t status, const char *type,
                                 ngx_str_t text)
{
        ngx_http_complex_value_t value = { .value = text };
        ngx_str_t media_type = { strlen(type), (u_char *)type };

        ngx_http_finalize_request(request,
                                  ngx_http_send_response(request, status, &media_type, &value));
        return NGX_DONE;
}

static const char suspended[] = "<!DOCTYPE html><html lang=en><title>Suspended</title>"
                                "<h1>This website is suspended</h1></html>";

/* Answers with the same text as an Apache instance. */
static ngx_int_t requests_suspend(ngx_http_request_t *request)
{
        return requests_answer(request, NGX_HTTP_SERVICE_UNAVAILABLE, "text/html",
                               (ngx_str_t){ sizeof(suspended) - 1, (u_char *)suspended });
}

/* Sends answers to challenges that the customer's own ACME client has put into the document root of
 * the server block. This runs before all rules of the site, as in src/httpd/challenge.c. */
static ngx_int_t requests_challenge(ngx_http_request_t *request)
{
        Span rest = { request->unparsed_uri.data, request->unparsed_uri.len };
        Span path = rest, token;
        ngx_str_t answer, file;
        size_t root;

        (void)span_take_until(&rest, '?', &path);
        if (!(request->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) ||
            !challenge_find_token(path, &token))
                return NGX_DECLINED;
        answer.data = ngx_pnalloc(request->pool, CHALLENGE_ANSWER_MAX);
        if (!answer.data || !ngx_http_map_uri_to_path(request, &file, &root, 0))
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
        file.data[root] = 0;
        answer.len = challenge_read_site_answer((char *)file.data, token, (char *)answer.data);
        return answer.len > 0 ? requests_answer(request, NGX_HTTP_OK, CHALLENGE_MEDIA_TYPE, answer)
                              : NGX_DECLINED;
}

/* Refuses a request. The client gets nginx's own text, and not a page that the customer has set
 * with error_page. */
static ngx_int_t requests_refuse(ngx_http_request_t *request, ngx_int_t status)
{
        request->error_page = 1;
        return status;
}

static bool requests_is_tls(const ngx_http_request_t *request)
{
        return requests_connection(request)->ssl;
}

/* Finds the port in the Host field, with the colon before it. The result is empty if the field has
 * no port, or has the default port. */
static void requests_find_port(const ngx_http_request_t *request, ngx_str_t *ret)
{
        const ngx_str_t *host = &request->headers_in.host->value;
        const char *usual = requests_is_tls(request) ? ":443" : ":80";
        size_t n = 0;

        while (n < host->len && host->data[host->len - n - 1] >= '0' &&
               host->data[host->len - n - 1] <= '9')
                n++;
        *ret = (ngx_str_t)ngx_null_string;
        if (n == 0 || n == host->len || host->data[host->len - n - 1] != ':')
                return;
        *ret = (ngx_str_t){ n + 1, host->data + host->len - n - 1 };
        if (ret->len == strlen(usual) && memcmp(ret->data, usual, ret->len) == 0)
                ret->len = 0;
}

static ngx_int_t requests_redirect(ngx_http_request_t *request, const char *host)
{
        ngx_table_elt_t *location = ngx_list_push(&request->headers_out.headers);
        const size_t size = sizeof("https://:65535") + strlen(host) + request->unparsed_uri.len;
        ngx_str_t port;
        u_char *end;

        if (!location)
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
        ngx_memzero(location, sizeof(*location));
        ngx_str_set(&location->key, "Location");
        location->value.data = ngx_pnalloc(request->pool, size);
        if (!location->value.data)
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
        requests_find_port(request, &port);
        end = ngx_snprintf(location->value.data, size, "%s://%s%V%V",
                           requests_is_tls(request) ? "https" : "http", host, &port,
                           &request->unparsed_uri);
        location->value.len = (size_t)(end - location->value.data);
        location->hash = 1;
        request->headers_out.location = location;
        return requests_refuse(request, request->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)
                                                ? NGX_HTTP_MOVED_PERMANENTLY
                                                : NGX_HTTP_PERMANENT_REDIRECT);
}

/* Whether a host has its own pages. If so, the document root is a folder that is named after the
 * host. */
static bool requests_has_pages(ngx_http_request_t *request, const char *host)
{
        const ngx_http_core_loc_conf_t *core =
                ngx_http_get_module_loc_conf(request, ngx_http_core_module);
        const size_t length = strlen(host);

        return core->root.len > length && core->root.data[core->root.len - length - 1] == '/' &&
               memcmp(core->root.data + core->root.len - length, host, length) == 0;
}

/* Returns the host to which the request must be redirected, or NULL. This host comes from the
 * configuration, and not from the client. */
static const char *requests_canonical(ngx_http_request_t *request, const Config *config,
                                      uint32_t own, const char *host)
{
        const ngx_str_t *uri = &request->unparsed_uri;
        char *path = ngx_pnalloc(request->pool, uri->len + 1);

        if (!path || !request->headers_in.host || requests_has_pages(request, host))
                return NULL;
        memcpy(path, uri->data, uri->len);
        path[uri->len] = 0;
        return admit_canonical(config, own, host, path);
}

/* The host in a request target takes precedence over the Host field (RFC 9112 section 3.2.2).
 * Programs know only the Host field, so this function writes the host of the target into the field.
 */
static void requests_set_host(ngx_http_request_t *request)
{
        ngx_table_elt_t *host = request->headers_in.host;
        u_char *end = request->host_end;

        if (!host || request->stream || !request->host_start || !end)
                return;
        if (*end == ':')
                do
                        end++;
                while (*end >= '0' && *end <= '9');
        host->value = (ngx_str_t){ (size_t)(end - request->host_start), request->host_start };
}

static ngx_int_t requests_begin(ngx_http_request_t *request)
{
        const ngx_connection_t *connection = requests_connection(request);
        const struct bellhop_handoff *handoff = inbox_handoff_of(connection);
        const ngx_str_t *server = &request->headers_in.server;
        char host[BELLHOP_HOST_MAX + 1];
        const char *canonical;
        const Config *config;
        uint32_t own;

        if (!handoff)
                return NGX_DECLINED;
        config = inbox_config(&own);
        if (admit_has_one_request(config, own, handoff))
                request->keepalive = 0;
        /* A host that does not fit into the array is too long for any instance, and is refused
         * below. */
        (void)snprintf(host, sizeof(host), "%.*s", (int)server->len, server->data);
        if (server->len > 0 &&
            (server->len >= sizeof(host) || !admit_host(config, own, host, handoff))) {
                ngx_log_error(NGX_LOG_INFO, request->connection->log, 0,
                              "misdirected: a request for host '%V' came on a connection for '%s'",
                              server, handoff->host);
                /* After status 421 (Misdirected Request), the browser opens a new connection for
                 * that host. With HTTP/1.1, the present connection must end first. */
                if (!request->stream)
                        request->keepalive = 0;
                return requests_refuse(request, NGX_HTTP_MISDIRECTED_REQUEST);
        }
        if (config->instances[own].is_suspended)
                return requests_suspend(request);
        requests_set_host(request);
        canonical = requests_canonical(request, config, own, host);
        return canonical ? requests_redirect(request, canonical) : requests_challenge(request);
}

static ngx_int_t requests_guard(ngx_http_request_t *request, bool are_programs_sent)
{
        ngx_str_t path;
        size_t unused;

        if (!ngx_http_map_uri_to_path(request, &path, &unused, 0))
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
        if (!file_name_is_settings((char *)path.data) &&
            (are_programs_sent || !file_name_is_program((char *)path.data)))
                return NGX_DECLINED;
        ngx_log_error(NGX_LOG_ERR, request->connection->log, 0, "refused to send \"%s\"%s",
                      path.data,
                      !file_name_is_settings((char *)path.data) &&
                                      file_name_is_php((char *)path.data)
                              ? "; to run PHP in a location, include bellhop's php.conf there"
                              : ", which is a program or has settings");
        return NGX_HTTP_FORBIDDEN;
}

/* Refuses files with settings. Runs before nginx asks the client for a password. */
static ngx_int_t requests_enter(ngx_http_request_t *request)
{
        return requests_guard(request, true);
}

/* Also refuses files of programs. Runs before all handlers that send a file. A location in
 * bellhop's own configuration could not do this, because a location in a snippet may take
 * precedence. */
static ngx_int_t requests_send(ngx_http_request_t *request)
{
        return requests_guard(request, false);
}

static ngx_int_t requests_end(ngx_http_request_t *request)
{
        page_requested();
        logs_write_access(request);
        return NGX_OK;
}

static bool requests_add(ngx_http_core_main_conf_t *core, ngx_http_phases phase,
                         ngx_http_handler_pt handler)
{
        ngx_http_handler_pt *place = ngx_array_push(&core->phases[phase].handlers);

        if (place)
                *place = handler;
        return place;
}

static ngx_int_t requests_init(ngx_conf_t *conf)
{
        ngx_http_core_main_conf_t *core =
                ngx_http_conf_get_module_main_conf(conf, ngx_http_core_module);

        return requests_add(core, NGX_HTTP_POST_READ_PHASE, requests_begin) &&
                               requests_add(core, NGX_HTTP_PREACCESS_PHASE, requests_enter) &&
                               requests_add(core, NGX_HTTP_CONTENT_PHASE, requests_send) &&
                               requests_add(core, NGX_HTTP_LOG_PHASE, requests_end)
                       ? NGX_OK
                       : NGX_ERROR;
}

static ngx_http_module_t context = { .postconfiguration = requests_init };

ngx_module_t ngx_http_bellhop_module = {
        NGX_MODULE_V1, &context, NULL, NGX_HTTP_MODULE,       NULL, NULL, NULL, NULL,
        NULL,          NULL,     NULL, NGX_MODULE_V1_PADDING,
};
