/* SPDX-License-Identifier: MIT */
/* Fuzz target: what the test of a customer's configuration says, and modules in it, which are the
 * customer's. The reason is always one line, and nothing is read beyond the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/check/reason.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *said = strndup((const char *)data, size);
        Reason reason;

        if (!said)
                return 0;
        if (reason_find(said, &reason) != 0 || !reason.what || strchr(reason.what, '\n') ||
            (reason.file && strchr(reason.file, '\n')))
                abort();
        reason_done(&reason);
        free(said);
        return 0;
}
