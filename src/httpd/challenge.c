/* SPDX-License-Identifier: MIT */
/*
 * certbot and other ACME clients put the answer to a challenge into the document root. If a site
 * passes all requests to another server (ProxyPass "/", RewriteRule with [P]) or redirects them,
 * the authority would not find that file, and the certificate would expire. So this module makes
 * Apache serve existing files in .well-known/acme-challenge, even if directives map this path
 * elsewhere. Access rules still apply, and PHP files are run as usual.
 */
#include <string.h>

#include <httpd.h>

#include <apr_file_info.h>
#include <http_config.h>
#include <http_core.h>
#include <http_request.h>

#include "challenge/challenge.h"
#include "httpd/challenge.h"
#include "httpd/php-source.h"

#define NOTE "bellhop-challenge"

/* The characters of a challenge's token, which is the name of the file (RFC 8555 section 8.3). */
#define TOKEN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static int challenge_translate(request_rec *request)
{
        const char *token;
        apr_finfo_t info;

        if (request->method_number != M_GET || request->proxyreq || !request->uri ||
            strncmp(request->uri, CHALLENGE_PATH, strlen(CHALLENGE_PATH)) != 0)
                return DECLINED;
        token = request->uri + strlen(CHALLENGE_PATH);
        if (token[strspn(token, TOKEN)])
                return DECLINED;
        if (ap_core_translate(request) == OK &&
            apr_stat(&info, request->filename, APR_FINFO_TYPE, request->pool) == APR_SUCCESS &&
            info.filetype == APR_REG) {
                apr_table_setn(request->notes, NOTE, "");
                return OK;
        }
        request->filename = request->canonical_filename = NULL;
        return DECLINED;
}

/* Replaces a handler that directives have set for the request, for example SetHandler "proxy:..."
 * in a <Location>. */
static int challenge_handle(request_rec *request)
{
        if (apr_table_get(request->notes, NOTE) && !php_source_is_chosen(request))
                request->handler = "default-handler";
        return DECLINED;
}

void challenge_register_hooks(void)
{
        ap_hook_translate_name(challenge_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
        ap_hook_handler(challenge_handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
