/* SPDX-License-Identifier: MIT */
/* Interprets answers from DNS, and answers of the authority in the log of uacme. Pure. */
#pragma once

#include "util/span.h"

#define ANSWER_TEXT_MAX 300

/* The authorities that CAA records of DNS allow to sign (RFC 8659). */
typedef struct Caa {
        bool is_there; /* there is a record with the tag */
        bool allows;
        char other[ANSWER_TEXT_MAX]; /* another authority that a record allows; "": none */
} Caa;

/* Reads one record, which has flags, the size of the tag, the tag, and the value, and updates *caa.
 * Ignores a record with another tag. tag: "issue" or "issuewild"; own: the domain of our
 * authority. */
void answer_add_caa(Span record, const char *tag, const char *own, Caa *caa);

/* Copies the last string value of the key in the log to ret. The last JSON text in the log is the
 * authority's latest problem document (RFC 7807). If there is no such value, ret is "". The
 * backslashes of escapes are left out. */
void answer_find_value(const char *log, const char *key, char ret[static ANSWER_TEXT_MAX]);

/* Whether uacme has given up because the authority does not answer or reports an internal error.
 * type: the last "type" in the log, from answer_find_value(). */
bool answer_is_absence(const char *log, const char *type);

/* Whether the authority does not know our account. */
bool answer_is_lost_account(const char *log, const char *type);

/* Copies the last line that is not empty. */
void answer_last_line(const char *log, char ret[static ANSWER_TEXT_MAX]);

/* Whether the text contains the host, and not only as a part of another host. */
bool answer_names_host(const char *text, const char *host);
