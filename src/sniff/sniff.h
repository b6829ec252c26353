/* SPDX-License-Identifier: MIT */
/* Finds protocol and host in the first bytes of a connection, which stay unread. The functions are
 * pure, and expect hostile bytes. Every call starts from the first byte. The caller limits the
 * number of bytes: if a parser needs more bytes than this limit, the caller can refuse the
 * connection at once. */
#pragma once

#include "handoff/bellhop.h"
#include "util/address.h"
#include "util/span.h"

/* The longest host has a name of 253 bytes, a trailing dot and ":65535". The longest server name
 * that OpenSSL accepts, 255 bytes, also fits. Sniff.host is a copy, because record headers may
 * split a server name. */
#define SNIFF_HOST_MAX (BELLHOP_HOST_MAX + 1 + 6)

typedef enum SniffOutcome {
        SNIFF_MORE,      /* undecided: wait for need_bytes */
        SNIFF_HOST,      /* complete, and names a host, which is not yet checked as a hostname */
        SNIFF_NO_HOST,   /* complete and valid, without a host */
        SNIFF_MALFORMED, /* more bytes can't make it valid */
} SniffOutcome;

/* TLS alerts, RFC 8446 section 6.2 */
enum {
        SNIFF_UNEXPECTED_MESSAGE = 10,
        SNIFF_RECORD_OVERFLOW = 22,
        SNIFF_ILLEGAL_PARAMETER = 47,
        SNIFF_UNRECOGNIZED_NAME = 112,
};

typedef struct Sniff {
        SniffOutcome outcome;
        enum bellhop_protocol protocol; /* if known; the text of a refusal depends on it */
        bool host_required;             /* SNIFF_NO_HOST: the protocol demands a host (HTTP/1.1) */
        uint8_t alert;      /* SNIFF_MALFORMED over TLS: the alert of RFC 8446 section 6.2, as in
                               OpenSSL; 0: no particular alert */
        size_t need_bytes;  /* SNIFF_MORE: more than the size of the input; fewer bytes are never
                               complete, but may be malformed */
        size_t host_length; /* SNIFF_HOST: 1 to SNIFF_HOST_MAX */
        uint8_t host[SNIFF_HOST_MAX]; /* SNIFF_HOST: as the client wrote it, without a NUL after
                                       * it. TLS: any byte but NUL. HTTP: letters, digits, "-._",
                                       * ":port", "[]" */
        bool offers_acme; /* SNIFF_HOST over TLS: by ALPN, the client offers only acme-tls/1 */
        Span method;      /* SNIFF_HOST over HTTP; points into the input */
        Span path; /* SNIFF_HOST over HTTP: path and query of the request target; empty without them
                    */
} Sniff;

/* Finds the protocol from the first byte and calls its parser. */
Sniff sniff(Span in);

/* Parses a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3) in any number of records.
 * The hello is complete when the record that contains its last byte is complete. Later bytes are
 * ignored. */
Sniff sniff_tls(Span in);

/* Parses the head of an HTTP/1 request (RFC 9112 sections 2 to 5). The head is complete when its
 * empty line has arrived. The host comes from the request target; if the target has none, from the
 * Host field. An https target must have the same host as the field. */
Sniff sniff_http(Span in);

typedef enum SniffProxyOutcome {
        SNIFF_PROXY_MORE,      /* undecided: wait for need_bytes */
        SNIFF_PROXY_SOURCE,    /* complete, and names the client */
        SNIFF_PROXY_NO_SOURCE, /* complete, but names no client, so the peer counts as the client:
                                  LOCAL (such as a health check of the proxy), UNKNOWN, UNSPEC */
        SNIFF_PROXY_MALFORMED, /* not a header of either version, whatever bytes follow */
} SniffProxyOutcome;

typedef struct SniffProxy {
        SniffProxyOutcome outcome;
        size_t need_bytes; /* SNIFF_PROXY_MORE: more than the size of the input; fewer bytes are
                              never complete */
        size_t size;       /* if complete: the size of the header; the client's bytes follow it */
        Address source;    /* SNIFF_PROXY_SOURCE: the client's address */
} SniffProxy;

/* Parses the header of the PROXY protocol, versions 1 and 2, that a proxy puts before the bytes of
 * its client. The caller decides whether to trust the header. */
SniffProxy sniff_proxy(Span in);
