/* SPDX-License-Identifier: MIT */
/* Fuzz target: what a customer may have written in place of their instance. What is understood is
 * written and read again as the same. */
#include <stdlib.h>

#include "instance/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[STATE_MAX_BYTES], again[STATE_MAX_BYTES];
        State state, same;
        size_t n;

        if (!state_parse((Span){ data, size }, &state))
                return 0;
        n = state_format(&state, text);
        if (!state_parse((Span){ (const uint8_t *)text, n }, &same) ||
            state_format(&same, again) != n || memcmp(text, again, n) != 0)
                abort();
        return 0;
}
