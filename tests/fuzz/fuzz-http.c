/* SPDX-License-Identifier: MIT */
/* Fuzz target: the parser of HTTP/1 heads. Beside the general rules: only bytes of a host come out.
 */
#include "fuzz-sniff.h"

#include <ctype.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span in = { .data = data, .size = size };
        Sniff s, other;

        check_prefixes(sniff_http, data, size);
        s = sniff_http(in);
        for (size_t i = 0; i < s.host_length; i++)
                require(isalnum(s.host[i]) || memchr(":[]-._", s.host[i], 6) != NULL);
        if (s.outcome == SNIFF_HOST || s.outcome == SNIFF_NO_HOST)
                require(memmem(data, size, "\r\n\r\n", 4) != NULL);
        if (s.protocol == BELLHOP_PROTOCOL_HTTP) {
                other = sniff(in);
                require(sniff_equals(&s, &other));
        }
        return 0;
}
