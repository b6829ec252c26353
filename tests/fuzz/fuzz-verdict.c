/* SPDX-License-Identifier: MIT */
/* Fuzz target: what a server says of its configuration, among what modules of the customer's say. A
 * file is a path, and neither it nor the words reach beyond their line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "instance/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const Verdict *verdict, void *unused)
{
        if (verdict->kind == VERDICT_END || verdict->kind >= VERDICT_KINDS ||
            verdict->file[0] != '/' || strchr(verdict->file, '\n') || strchr(verdict->what, '\n'))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *said = strndup((const char *)data, size);

        if (said)
                (void)verdict_read(said, check, NULL);
        free(said);
        return 0;
}
