/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>

#include "acme/answer.h"
#include "util/cleanup.h"

static bool answer_is_word(Span text, const char *word)
{
        return text.size == strlen(word) &&
               strncasecmp((const char *)text.data, word, text.size) == 0;
}

void answer_add_caa(Span record, const char *tag, const char *own, Caa *caa)
{
        Span flags, name, domain;
        uint32_t size;

        if (!span_take(&record, 1, &flags) || !span_take_uint(&record, 1, &size) ||
            !span_take(&record, size, &name) || !answer_is_word(name, tag))
                return;
        /* Parameters follow a semicolon. */
        if (!span_take_until(&record, ';', &domain))
                domain = record;
        domain = span_trim(domain);
        caa->is_there = true;
        if (answer_is_word(domain, own))
                caa->allows = true;
        else
                (void)snprintf(caa->other, sizeof(caa->other), "%.*s", (int)domain.size,
                               (const char *)domain.data);
}

void answer_find_value(const char *log, const char *key, char ret[static ANSWER_TEXT_MAX])
{
        const size_t length = strlen(key);
        size_t n = 0;

        ret[0] = 0;
        for (const char *at = log; (at = strchr(at, '"')); at++) {
                if (strncmp(at + 1, key, length) != 0 || at[length + 1] != '"')
                        continue;
                at += length + 2;
                at += strspn(at, ": ");
                if (*at != '"')
                        continue;
                at++;
                for (n = 0; *at && *at != '"' && n < ANSWER_TEXT_MAX - 1; at++) {
                        at += *at == '\\' && at[1];
                        ret[n++] = *at;
                }
                ret[n] = 0;
                if (!*at)
                        return;
        }
}

bool answer_is_absence(const char *log, const char *type)
{
        /* uacme writes one of these lines after its last attempt to reach the authority. Only the
         * beginning of a line counts, because within a line, the authority may quote a customer's
         * page. */
        static const char *const ends[] = {
                "\nuacme: acme_get: curl_get failed\n",
                "\nuacme: acme_post: curl_post failed\n",
                "\nuacme: failed to fetch directory at ",
                "\nuacme: failed to fetch new nonce at ",
        };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (strstr(log, ends[i]))
                        return true;
        return strcmp(type, "urn:ietf:params:acme:error:serverInternal") == 0;
}

bool answer_is_lost_account(const char *log, const char *type)
{
        return strstr(log, "\nuacme: no account associated with ") ||
               strcmp(type, "urn:ietf:params:acme:error:accountDoesNotExist") == 0;
}

void answer_last_line(const char *log, char ret[static ANSWER_TEXT_MAX])
{
        size_t end = strlen(log), begin;

        while (end > 0 && log[end - 1] == '\n')
                end--;
        for (begin = end; begin > 0 && log[begin - 1] != '\n'; begin--)
                ;
        (void)snprintf(ret, ANSWER_TEXT_MAX, "%.*s", (int)(end - begin), log + begin);
}

static bool answer_is_of_host(char c)
{
        return isalnum((unsigned char)c) || c == '-' || c == '_';
}

bool answer_names_host(const char *text, const char *host)
{
        for (const char *at = text; (at = strcasestr(at, host)); at++) {
                const char *after = at + strlen(host);
                const bool begins = at == text || (!answer_is_of_host(at[-1]) && at[-1] != '.');

                /* A dot after the host may end a sentence. */
                if (begins && !answer_is_of_host(*after) &&
                    !(*after == '.' && answer_is_of_host(after[1])))
                        return true;
        }
        return false;
}
