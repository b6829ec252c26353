/* SPDX-License-Identifier: MIT */
/* The header of the PROXY protocol, versions 1 and 2, that a proxy puts before what its client
 * says. Pure. Whether to believe it is the caller's decision. */
#pragma once

#include "util/address.h"

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

SniffProxy sniff_proxy(Span in);
