/* SPDX-License-Identifier: MIT */
/* The client can't choose the host to which it is redirected: that host comes from Canonical= in
 * the instance's file, which only root can change. */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "httpd/canonical.h"
#include "httpd/vhosts.h"
#include "instance/admit.h"

int canonical_redirect(request_rec *request, const Config *config, uint32_t own)
{
        const char *host = request->hostname;
        const char *target = request->unparsed_uri[0] == '/'
                                     ? request->unparsed_uri
                                     : apr_uri_unparse(request->pool, &request->parsed_uri,
                                                       APR_URI_UNP_OMITSITEPART);
        const apr_port_t port = ap_get_server_port(request);
        const char *canonical = host ? admit_canonical(config, own, host, target) : NULL;

        /* A host that has its own folder of pages is not redirected. */
        if (!canonical || vhosts_is_folder_of(ap_document_root(request), host))
                return DECLINED;
        target = ap_is_default_port(port, request)
                         ? apr_pstrcat(request->pool, ap_http_scheme(request), "://", canonical,
                                       target, NULL)
                         : apr_psprintf(request->pool, "%s://%s:%u%s", ap_http_scheme(request),
                                        canonical, port, target);
        apr_table_setn(request->headers_out, "Location", target);
        return request->method_number == M_GET ? HTTP_MOVED_PERMANENTLY : HTTP_PERMANENT_REDIRECT;
}
