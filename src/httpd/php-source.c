/* SPDX-License-Identifier: MIT */
/*
 * An .htaccess file that comes from another hoster names that hoster's PHP
 * ("AddHandler application/x-httpd-ea-php82 .php"). Apache sends a file as it is if nobody answers
 * to the name of its handler, passwords included. So just before the handlers run, a file that PHP
 * would run gets the handler of this instance, unless a handler is to answer that runs programs
 * itself.
 */
#include <stdbool.h>

#include <apr_lib.h>
#include <httpd.h>

#include <http_config.h>

#include "httpd/php-source.h"

static const char *php_handler;

void php_source_set_handler(const char *handler)
{
        php_handler = handler;
}

/* Those that PHP and the configurations of hosters know: .php, .php5, .phtml, .pht and .phar. */
static bool is_php_name(const char *path)
{
        const char *dot = strrchr(path, '.');

        if (!dot || strncasecmp(dot, ".ph", 3) != 0)
                return false;
        dot += 3;
        if (strcasecmp(dot, "t") == 0 || strcasecmp(dot, "tml") == 0 || strcasecmp(dot, "ar") == 0)
                return true;
        return (dot[0] == 'p' || dot[0] == 'P') &&
               (dot[1] == '\0' || (apr_isdigit(dot[1]) && dot[2] == '\0'));
}

/* application/x-httpd-php, x-httpd-php5-3, application/x-httpd-alt-php81___lsphp, php-script. */
static bool is_php_word(const char *word)
{
        return (ap_strcasestr(word, "x-httpd-") && ap_strcasestr(word, "php")) ||
               ap_strcasestr(word, "lsphp") || strncasecmp(word, "php", 3) == 0;
}

/* Of a module that runs PHP or another program, or passes the request on. */
static bool runs_programs(const char *handler)
{
        return strncasecmp(handler, "proxy:", 6) == 0 || strcmp(handler, "cgi-script") == 0 ||
               (is_php_word(handler) && ap_find_linked_module("mod_php.c"));
}

static int php_source_handle(request_rec *request)
{
        const char *handler = request->handler ? request->handler : "";

        /* A rewritten or proxied request has another name in place of the file's path. */
        if (request->filename[0] != '/' || request->finfo.filetype != APR_REG ||
            runs_programs(handler) || !(is_php_name(request->filename) || is_php_word(handler)))
                return DECLINED;
        /* In colours, it is the source all the same. */
        if (!php_handler || ap_strcasestr(handler, "php-source"))
                return HTTP_FORBIDDEN;
        request->handler = php_handler;
        return DECLINED;
}

bool php_source_is_chosen(const request_rec *request)
{
        return php_handler && request->handler == php_handler;
}

void php_source_register_hooks(void)
{
        ap_hook_handler(php_source_handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
