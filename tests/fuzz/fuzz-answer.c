/* SPDX-License-Identifier: MIT */
/* Fuzz target: what bellhop-acme reads of others. The first byte chooses: a CAA record, or the log
 * of uacme, which has what the authority has sent. */
#include <stdlib.h>

#include "acme/answer.h"

#define LOG_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_log(const char *log)
{
        char text[ANSWER_TEXT_MAX];

        answer_find_value(log, "detail", text);
        if (strlen(text) > strlen(log))
                abort();
        answer_last_line(log, text);
        if (strchr(text, '\n') || !strstr(log, text))
                abort();
        (void)answer_names_host(log, "a.example");
        (void)answer_is_absence(log, "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char log[LOG_MAX + 1] = "";
        Caa caa = { .is_there = false };

        if (size == 0 || size > LOG_MAX)
                return 0;
        if (data[0] % 2 == 0) {
                answer_add_caa((Span){ data + 1, size - 1 }, "issue", "a.example", &caa);
                if (caa.allows && !caa.is_there)
                        abort();
                return 0;
        }
        memcpy(log, data + 1, size - 1);
        read_log(log);
        return 0;
}
