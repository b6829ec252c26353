/* SPDX-License-Identifier: MIT */
/* The reply to a refused client never contains anything that came from the client. */
#include "refuse/refuse.h"
#include "util/cleanup.h"

/* RFC 8446 section 6.2 */
#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_DECODE_ERROR      50
#define ALERT_INTERNAL_ERROR    80
#define ALERT_UNRECOGNIZED_NAME 112

typedef struct Refusal {
        const char *name;
        const char *cause; /* for an administrator */
        bool is_of_instance;
        uint8_t alert;
        const char *status;
        const char *body;
} Refusal;

static const Refusal refusals[REFUSE_REASON_COUNT] = {
        [REFUSE_UNKNOWN_HOST] = { "unknown-host",
                                  "no instance has this host, and none has Default=yes", false,
                                  ALERT_UNRECOGNIZED_NAME, "421 Misdirected Request",
                                  "No website with this name is served here.\n" },
        [REFUSE_NO_HOST] = { "no-host", "the client names no host, and no instance accepts this",
                             false, ALERT_UNRECOGNIZED_NAME, "400 Bad Request",
                             "The request names no host, so the website is unknown.\n" },
        [REFUSE_MALFORMED] = { "malformed", "neither TLS nor HTTP, or not a valid host", false,
                               ALERT_DECODE_ERROR, "400 Bad Request",
                               "This is not a valid HTTP request.\n" },
        [REFUSE_TOO_LARGE] = { "too-large",
                               "the beginning of the connection is incomplete after SniffMaxBytes=",
                               false, ALERT_DECODE_ERROR, "431 Request Header Fields Too Large",
                               "The head of the request is too large.\n" },
        [REFUSE_TIMEOUT] = { "timeout",
                             "the beginning of the connection is incomplete after SniffTimeoutSec=",
                             false, ALERT_HANDSHAKE_FAILURE, "408 Request Timeout",
                             "The request did not arrive in time.\n" },
        [REFUSE_UNAVAILABLE] = { "unavailable", "the instance can't receive it", true,
                                 ALERT_INTERNAL_ERROR, "503 Service Unavailable",
                                 "This website can't accept connections at the moment. Please try "
                                 "again later.\n" },
        [REFUSE_OVERLOAD] = { "overload",
                              "PendingMax= is reached, or descriptors or memory have run out", true,
                              ALERT_INTERNAL_ERROR, "503 Service Unavailable",
                              "There are too many connections at the moment. Please try again "
                              "later.\n" },
        [REFUSE_SOURCE_LIMIT] = { "source-limit", "PendingMaxPerSource= is reached", false,
                                  ALERT_INTERNAL_ERROR, "429 Too Many Requests",
                                  "There are too many unfinished connections from your "
                                  "network.\n" },
        [REFUSE_INSTANCE_LIMIT] = { "instance-limit", "PendingMaxPerInstance= is reached", true,
                                    ALERT_INTERNAL_ERROR, "503 Service Unavailable",
                                    "This website has too many connections at the moment. Please "
                                    "try "
                                    "again later.\n" },
        [REFUSE_PLAIN_HTTP] = { "plain-http", "Http=refuse", true, ALERT_INTERNAL_ERROR,
                                "403 Forbidden", "This website is served only over HTTPS.\n" },
        [REFUSE_SUSPENDED] = { "suspended", "Suspended=yes", true, ALERT_INTERNAL_ERROR,
                               "503 Service Unavailable", "This website is suspended.\n" },
};

const char *refuse_reason_name(RefuseReason reason)
{
        return refusals[reason].name;
}

const char *refuse_reason_cause(const char *name)
{
        for (size_t i = 0; i < REFUSE_REASON_COUNT; i++)
                if (strcmp(refusals[i].name, name) == 0)
                        return refusals[i].cause;
        return NULL;
}

bool refuse_reason_is_of_instance(RefuseReason reason)
{
        return refusals[reason].is_of_instance;
}

size_t refuse_reply(RefuseReason reason, enum bellhop_protocol protocol, uint8_t alert,
                    char ret[static REFUSE_REPLY_MAX])
{
        const Refusal *refusal = &refusals[reason];
        /* A TLS record with an alert: record type, version, length of the alert, level (fatal),
         * description. */
        const uint8_t record[] = { 21, 3, 3, 0, 2, 2, alert > 0 ? alert : refusal->alert };
        const bool later = refusal->status[0] == '5' && reason != REFUSE_SUSPENDED;
        int n;

        if (protocol == BELLHOP_PROTOCOL_TLS) {
                memcpy(ret, record, sizeof(record));
                return sizeof(record);
        }
        /* A client that is silent or speaks another protocol also gets an HTTP error. */
        n = snprintf(ret, REFUSE_REPLY_MAX,
                     "HTTP/1.1 %s\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %zu\r\n"
                     "%s"
                     "Cache-Control: no-store\r\n"
                     "Connection: close\r\n"
                     "\r\n"
                     "%s",
                     refusal->status, strlen(refusal->body), later ? "Retry-After: 5\r\n" : "",
                     refusal->body);
        return n < 0 || n >= REFUSE_REPLY_MAX ? 0 : (size_t)n;
}
