/* SPDX-License-Identifier: MIT */
/*
 * This runs before all rules of the site: redirects, ProxyPass, access rules and .htaccess files.
 * So no mistake in these rules makes a renewal fail. The rules still protect all other files,
 * because challenge_read_site_answer() reads only answers to challenges.
 */
#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "challenge/challenge.h"
#include "httpd/challenge.h"

static int challenge_handle(request_rec *request, int unused)
{
        char answer[CHALLENGE_ANSWER_MAX];
        size_t size;
        Span token;

        if (request->method_number != M_GET || request->proxyreq || !ap_is_initial_req(request) ||
            !challenge_find_token(span_from_string(request->uri), &token))
                return DECLINED;
        size = challenge_read_site_answer(ap_document_root(request), token, answer);
        if (size == 0)
                return DECLINED;
        ap_set_content_type(request, CHALLENGE_MEDIA_TYPE);
        ap_set_content_length(request, (apr_off_t)size);
        (void)ap_rwrite(answer, (int)size, request);
        return OK;
}

void challenge_register_hooks(void)
{
        ap_hook_quick_handler(challenge_handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
