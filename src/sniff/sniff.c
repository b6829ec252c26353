/* SPDX-License-Identifier: MIT */
/* The first byte chooses the parser; anything except a TLS handshake or HTTP is malformed. */
#include "sniff/sniff.h"

/* Content types of a TLS record, RFC 8446 section 5.1 and RFC 6520 section 3. */
enum {
        RECORD_CHANGE_CIPHER_SPEC = 0x14,
        RECORD_HANDSHAKE = 0x16,
        RECORD_HEARTBEAT = 0x18,
};

/* The high bit of the length in a record of SSL 2.0, RFC 6101 appendix E.1. */
#define SSL2_LENGTH_FLAG 0x80

Sniff sniff(Span in)
{
        uint8_t first;

        if (in.size == 0)
                return (Sniff){ .outcome = SNIFF_MORE, .need_bytes = 1 };
        first = in.data[0];
        if (first == RECORD_HANDSHAKE)
                return sniff_tls(in);
        /* These bytes begin other types of TLS records. No handshake begins with them, but the
         * sender understands an alert. */
        if (first >= RECORD_CHANGE_CIPHER_SPEC && first <= RECORD_HEARTBEAT)
                return (Sniff){ .outcome = SNIFF_MALFORMED,
                                .protocol = BELLHOP_PROTOCOL_TLS,
                                .alert = SNIFF_UNEXPECTED_MESSAGE };
        if ((first & SSL2_LENGTH_FLAG) != 0)
                return (Sniff){ .outcome = SNIFF_MALFORMED, .protocol = BELLHOP_PROTOCOL_TLS };
        return sniff_http(in);
}
