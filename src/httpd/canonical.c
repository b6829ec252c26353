/* SPDX-License-Identifier: MIT */
/* The host in the target comes from root's file, whatever the client sends. */
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#include "httpd/canonical.h"
#include "httpd/challenge.h"
#include "httpd/vhosts.h"

/* Whether it asks for another exact host of the instance, without a folder of its own. */
static bool is_for_another(request_rec *request, const Config *config, uint32_t own,
                           const char *canonical)
{
        const char *name = request->hostname;
        HostMapMatch match;
        Hostname host;

        if (!name || hostname_parse(span_from_string(name), &host) != HOSTNAME_OK ||
            vhosts_is_folder_of(ap_document_root(request), host.name))
                return false;
        match = hostmap_find_host(config->map, &host);
        return match.instance == own && strcmp(host.name, canonical) != 0 &&
               strcmp(hostmap_route(config->map, match.route).what, host.name) == 0;
}

int canonical_redirect(request_rec *request, const Config *config, uint32_t own)
{
        const char *canonical = config->instances[own].canonical;
        const char *target = request->unparsed_uri[0] == '/'
                                     ? request->unparsed_uri
                                     : apr_uri_unparse(request->pool, &request->parsed_uri,
                                                       APR_URI_UNP_OMITSITEPART);
        const apr_port_t port = ap_get_server_port(request);

        if (!canonical || !is_for_another(request, config, own, canonical) || target[0] != '/' ||
            challenge_is_below(target))
                return DECLINED;
        target = ap_is_default_port(port, request)
                         ? apr_pstrcat(request->pool, ap_http_scheme(request), "://", canonical,
                                       target, NULL)
                         : apr_psprintf(request->pool, "%s://%s:%u%s", ap_http_scheme(request),
                                        canonical, port, target);
        apr_table_setn(request->headers_out, "Location", target);
        return request->method_number == M_GET ? HTTP_MOVED_PERMANENTLY : HTTP_PERMANENT_REDIRECT;
}
