/* SPDX-License-Identifier: MIT */
/* Owns how Apache refuses what is not for this instance: never with the customer's content. */
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>

#include "httpd/admit.h"
#include "httpd/inbox.h"
#include "instance/admit.h"

APLOG_USE_MODULE(bellhop);

static const Config *config;
static uint32_t own_instance;

void admit_init(const Config *instance_config, uint32_t instance)
{
        config = instance_config;
        own_instance = instance;
}

/*
 * A client that starts TLS where no certificate is would get "400 Bad Request" in plain text, which
 * it can't read. It gets the alert of a server that doesn't have that name (RFC 6066 section 3).
 */
int admit_connection(conn_rec *conn)
{
        static const char unrecognized_name[] = { 0x15, 3, 3, 0, 2, 2, 0x70 };
        const struct bellhop_handoff *handoff = inbox_handoff_of(conn);
        apr_size_t size = sizeof(unrecognized_name);

        if (conn->master || !handoff || handoff->protocol != BELLHOP_PROTOCOL_TLS ||
            ap_ssl_conn_is_ssl(conn))
                return DECLINED;

        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, conn,
                      "a client speaks TLS to '%s', but this instance has no certificate; put it "
                      "below /etc/bellhop/tls",
                      handoff->host);
        (void)apr_socket_send(ap_get_conn_socket(conn), unrecognized_name, &size);
        /* The MPM reads on for a while before it closes, so that unread bytes don't become a reset
         * that overtakes the alert. */
        conn->keepalive = AP_CONN_CLOSE;
        if (conn->cs)
                conn->cs->state = CONN_STATE_LINGER;
        return OK;
}

int admit_request(request_rec *request)
{
        conn_rec *conn = request->connection;
        const struct bellhop_handoff *handoff = inbox_handoff_of(conn);

        if (!handoff || !request->hostname ||
            admit_host(config, own_instance, request->hostname, handoff))
                return DECLINED;

        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, request,
                      "misdirected: host '%s' on a connection for '%s'", request->hostname,
                      handoff->host);
        /* In HTTP/2 the stream ends and the browser opens a connection for the other host; in
         * HTTP/1.1 the connection has to end for that. */
        if (!conn->master)
                conn->keepalive = AP_CONN_CLOSE;
        return HTTP_MISDIRECTED_REQUEST;
}
