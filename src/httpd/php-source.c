/* SPDX-License-Identifier: MIT */
/*
 * An .htaccess file from another hosting provider names the handler that runs PHP there
 * ("AddHandler application/x-httpd-ea-php82 .php"). If this handler does not exist here, Apache
 * sends the source of PHP files, including passwords. So just before Apache calls the handlers,
 * mod_bellhop gives each PHP file this instance's handler for PHP, unless the file already has a
 * handler that runs programs here. If no handler has answered the request, the module runs or
 * refuses the file just before Apache would send it.
 */
#include <stdbool.h>

#include <apr_lib.h>
#include <httpd.h>

#include <http_config.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "httpd/php-source.h"
#include "instance/file-names.h"

APLOG_USE_MODULE(bellhop);

static const char *php_handler;

void php_source_set_handler(const char *handler)
{
        php_handler = handler;
}

/* Whether a handler has one of the usual names of PHP's handlers, such as application/x-httpd-php,
 * x-httpd-php5-3, application/x-httpd-alt-php81___lsphp or php-script. */
static bool is_php_word(const char *word)
{
        return (ap_strcasestr(word, "x-httpd-") && ap_strcasestr(word, "php")) ||
               ap_strcasestr(word, "lsphp") || strncasecmp(word, "php", 3) == 0;
}

/* Whether a handler may be one for PHP, such as x-mapp-php5 or hal-php. The directive Action can
 * also give such a name to a handler that is not for PHP. */
static bool may_be_php_word(const char *word)
{
        return ap_strcasestr(word, "php");
}

/* Whether a handler is for programs, such as fcgid-script, fastcgi-script, wsgi-script or
 * python-program. A name with a slash is a media type, and not such a handler. */
static bool is_program_word(const char *word)
{
        static const char *const ends[] = { "-script", "-program" };
        const size_t length = strlen(word);

        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
                if (!strchr(word, '/') && length > strlen(ends[i]) &&
                    strcasecmp(word + length - strlen(ends[i]), ends[i]) == 0)
                        return true;
        return false;
}

static bool is_of_mod_php(const char *word)
{
        return strcmp(word, "application/x-httpd-php") == 0 ||
               strcmp(word, "application/x-httpd-php-source") == 0 ||
               strcmp(word, "php-script") == 0;
}

/* Whether a handler runs PHP or another program, or passes the request on. */
static bool runs_programs(const char *handler)
{
        return strncasecmp(handler, "proxy:", 6) == 0 || strcmp(handler, "cgi-script") == 0 ||
               (is_of_mod_php(handler) && ap_find_linked_module("mod_php.c"));
}

static bool is_file(const request_rec *request)
{
        /* In a rewritten or proxied request, filename is not the path of a file. */
        return request->filename && request->filename[0] == '/' &&
               request->finfo.filetype == APR_REG;
}

/* Chooses the handler that runs PHP. Returns false if the instance has no PHP, or if the file's own
 * handler would show the source in colours. */
static bool choose_php(request_rec *request, const char *handler)
{
        if (!php_handler || ap_strcasestr(handler, "php-source"))
                return false;
        request->handler = php_handler;
        return true;
}

static int php_source_handle(request_rec *request)
{
        const char *handler = request->handler ? request->handler : "";

        if (!is_file(request) || runs_programs(handler) ||
            !(file_name_is_php(request->filename) || is_php_word(handler)))
                return DECLINED;
        return choose_php(request, handler) ? DECLINED : HTTP_FORBIDDEN;
}

/* Runs or refuses a program if no handler has answered the request. In this case, the handler of
 * the program does not exist, so Apache would send the file. */
static int php_source_refuse(request_rec *request)
{
        const char *handler = request->handler ? request->handler : "";
        const bool is_php = is_file(request) &&
                            (file_name_is_php(request->filename) || may_be_php_word(handler));

        if (!is_file(request) ||
            (request->method_number != M_GET && request->method_number != M_POST) ||
            (!is_php && !is_program_word(handler)))
                return DECLINED;
        if (is_php && !runs_programs(handler) && choose_php(request, handler))
                return ap_run_handler(request);
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, request,
                      "refused: the handler '%s' does not exist here, and without it clients would "
                      "get the source of %s",
                      handler, request->filename);
        return HTTP_FORBIDDEN;
}

/* Changes the media type of PHP files in subrequests. If HeaderName or ReadmeName names a PHP file,
 * mod_autoindex would otherwise show its source as text, regardless of its handler. */
static int php_source_hide_text(request_rec *request)
{
        if (request->main && is_file(request) && file_name_is_php(request->filename) &&
            request->content_type && strncasecmp(request->content_type, "text/", 5) == 0)
                ap_set_content_type(request, "application/x-httpd-php");
        return DECLINED;
}

void php_source_register_hooks(void)
{
        ap_hook_fixups(php_source_hide_text, NULL, NULL, APR_HOOK_REALLY_LAST);
        ap_hook_handler(php_source_handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
        /* This runs just before Apache's own handler, which sends files and is the last one. */
        ap_hook_handler(php_source_refuse, NULL, NULL, APR_HOOK_REALLY_LAST - 1);
}
