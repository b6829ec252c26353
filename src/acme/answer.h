/* SPDX-License-Identifier: MIT */
/* Interprets answers from DNS, and the log of uacme, the ACME client, which contains answers of the
 * certificate authority. Pure functions. */
#pragma once

#include "util/span.h"

#define ANSWER_TEXT_MAX 300

/* A summary of the CAA records of a host, which say which authorities may sign its certificates
 * (RFC 8659). */
typedef struct Caa {
        bool is_there; /* a record has the tag that was looked for */
        bool allows;
        char other[ANSWER_TEXT_MAX]; /* another authority that a record allows; "": none */
} Caa;

/* Reads one record (flags, size of the tag, tag, value), and updates *caa. Ignores a record with
 * another tag. tag: "issue" or "issuewild"; own: the domain of our authority in CAA records
 * (CaaDomain=). */
void answer_add_caa(Span record, const char *tag, const char *own, Caa *caa);

/* Copies to ret the last string in the log that is the value of this JSON key; "" if there is none.
 * The string comes from the authority's latest problem document (RFC 7807), which is the last JSON
 * text in the log. The backslashes of escapes are left out. */
void answer_find_value(const char *log, const char *key, char ret[static ANSWER_TEXT_MAX]);

/* Whether uacme has given up because the authority did not answer, or reported an internal error.
 * type: the last "type" in the log, from answer_find_value(). */
bool answer_is_absence(const char *log, const char *type);

/* Whether the authority does not know our account. */
bool answer_is_lost_account(const char *log, const char *type);

/* Copies to ret the last line of the log that is not empty. */
void answer_last_line(const char *log, char ret[static ANSWER_TEXT_MAX]);

/* Whether the text contains the host, and not only as a part of another host. */
bool answer_names_host(const char *text, const char *host);
