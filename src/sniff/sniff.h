/* SPDX-License-Identifier: MIT */
/* Protocol and host from the first bytes of a connection, which stay unread. Pure functions over
 * hostile bytes; every call starts from the first byte. The caller limits how many bytes are waited
 * for: a need_bytes beyond that can be refused at once. */
#pragma once

#include "handoff/bellhop.h"
#include "util/address.h"
#include "util/span.h"

/* Longest host: a name of 253 bytes, a trailing dot and ":65535"; OpenSSL's 255 bytes of TLS server
 * name fit too. It is a copy, as record headers may split a server name. */
#define SNIFF_HOST_MAX (BELLHOP_HOST_MAX + 1 + 6)

typedef enum SniffOutcome {
        SNIFF_MORE,      /* undecided: wait for need_bytes */
        SNIFF_HOST,      /* complete, and it names a host; not yet checked as a hostname */
        SNIFF_NO_HOST,   /* complete and valid, and names none */
        SNIFF_MALFORMED, /* can't become valid by more bytes */
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
        enum bellhop_protocol protocol; /* as far as known: the words of a refusal depend on it */
        bool host_required;             /* SNIFF_NO_HOST: the protocol demands one (HTTP/1.1) */
        uint8_t alert; /* SNIFF_MALFORMED over TLS: what RFC 8446 section 6.2 has for it, as OpenSSL
                        * answers; 0: nothing in particular */
        size_t need_bytes;  /* SNIFF_MORE: > size of the input; no fewer bytes are complete,
                             * though a mistake among them may show earlier */
        size_t host_length; /* SNIFF_HOST: 1 to SNIFF_HOST_MAX */
        uint8_t host[SNIFF_HOST_MAX]; /* SNIFF_HOST: as the client wrote it, not terminated. TLS:
                                       * any byte but NUL. HTTP: letters, digits, "-._", ":port",
                                       * "[]" */
        bool offers_acme; /* SNIFF_HOST over TLS: acme-tls/1, and no other protocol (ALPN) */
        Span method;      /* SNIFF_HOST over HTTP; points into the input */
        Span path; /* likewise: path and query of the request target; empty when it has none */
} Sniff;

/* Finds out the protocol by the first byte and asks its parser. */
Sniff sniff(Span in);

/* A TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), over any number of records. It is
 * complete with the record of its last byte; what follows is not looked at. */
Sniff sniff_tls(Span in);

/* The head of an HTTP/1 request (RFC 9112 sections 2 to 5), complete with its empty line. The host
 * is the request target's, else the Host field's; an https target must have the field's. */
Sniff sniff_http(Span in);

typedef enum SniffProxyOutcome {
        SNIFF_PROXY_MORE,      /* undecided: wait for need_bytes */
        SNIFF_PROXY_SOURCE,    /* complete, and it names the client */
        SNIFF_PROXY_NO_SOURCE, /* complete, and the client is the connection's own peer: LOCAL (the
                                * proxy itself, a health check), UNKNOWN, UNSPEC */
        SNIFF_PROXY_MALFORMED, /* no header of either version, whatever more bytes come */
} SniffProxyOutcome;

typedef struct SniffProxy {
        SniffProxyOutcome outcome;
        size_t need_bytes; /* SNIFF_PROXY_MORE: > size of the input; no fewer bytes are complete */
        size_t size;       /* when complete: of the header; what the client says comes behind it */
        Address source;    /* SNIFF_PROXY_SOURCE */
} SniffProxy;

/* The header of the PROXY protocol, versions 1 and 2, that a proxy puts before what its client
 * says. Whether to believe it is the caller's decision. */
SniffProxy sniff_proxy(Span in);
