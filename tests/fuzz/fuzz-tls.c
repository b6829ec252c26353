/* SPDX-License-Identifier: MIT */
/* Fuzz target: the ClientHello parser. Beside the general rules: how records are cut does not
 * matter, and who offers acme-tls/1 has sent these bytes. */
#include "fuzz-sniff.h"

#define INPUT_SIZE_MAX (64 * 1024)
#define ALPN_OF_ACME             \
        "\0\x10\0\x0d\0\x0b\x0a" \
        "acme-tls/1"

/* Cuts each record of a valid input in two; a record of one byte stays. */
static size_t cut_records(const uint8_t *data, size_t size, uint8_t *to)
{
        Span in = { .data = data, .size = size }, header, body;
        size_t n = 0;

        while (span_take(&in, 5, &header)) {
                size_t record_size = (size_t)header.data[3] << 8 | header.data[4];
                size_t first = record_size > 1 ? record_size / 2 : record_size;

                if (!span_take(&in, record_size, &body))
                        break;
                for (size_t at = 0; at < record_size; at += first) {
                        size_t part = at + first > record_size ? record_size - at : first;

                        memcpy(to + n, (uint8_t[]){ 22, 3, 3, (uint8_t)(part >> 8), (uint8_t)part },
                               5);
                        memcpy(to + n + 5, body.data + at, part);
                        n += 5 + part;
                }
        }
        return n;
}

static bool is_handshake_only(const uint8_t *data, size_t size)
{
        size_t at = 0;

        while (at + 5 <= size && data[at] == 22 && data[at + 3] + data[at + 4] > 0)
                at += 5 + ((size_t)data[at + 3] << 8 | data[at + 4]);
        return at == size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t cut[6 * INPUT_SIZE_MAX];
        Span in = { .data = data, .size = size };
        Sniff s, other;

        if (size == 0 || size > INPUT_SIZE_MAX)
                return 0;
        check_prefixes(sniff_tls, data, size);
        s = sniff_tls(in);
        require(s.protocol == BELLHOP_PROTOCOL_TLS);
        if (data[0] == 22) {
                other = sniff(in);
                require(sniff_equals(&s, &other));
        }
        if ((s.outcome == SNIFF_HOST || s.outcome == SNIFF_NO_HOST) &&
            is_handshake_only(data, size)) {
                other = parse_copy(sniff_tls, cut, cut_records(data, size, cut));
                require(sniff_equals(&s, &other));
                /* In one record, the extension is in one piece. */
                if (s.offers_acme && 5 + ((size_t)data[3] << 8 | data[4]) == size)
                        require(memmem(data, size, ALPN_OF_ACME, sizeof(ALPN_OF_ACME) - 1) != NULL);
        }
        require(!s.offers_acme || s.outcome == SNIFF_HOST || s.outcome == SNIFF_NO_HOST);
        return 0;
}
