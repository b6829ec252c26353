/* SPDX-License-Identifier: MIT */
/* The header of a message (RFC 5322) that a program gives to sendmail: its fields, and addresses in
 * them. Lines end in LF, or CR LF. Pure. */
#pragma once

#include "util/span.h"

typedef struct HeaderField {
        Span name;
        Span value; /* all its lines, without the last line end */
        Span whole; /* name and value, with the last line end */
} HeaderField;

/* Takes the next field off the front. False: the header has ended; what is left is an empty line
 * and the text, or the text. */
bool header_next(Span *rest, HeaderField *ret);

bool header_is(const HeaderField *field, const char *name);

typedef enum HeaderAddress {
        HEADER_ADDRESS,
        HEADER_ADDRESSES_END,
        HEADER_ADDRESS_INVALID, /* ret has what there is of it */
} HeaderAddress;

#define HEADER_ADDRESS_MAX 256

/* Takes the next address off a list such as that of To: names, comments and groups may be in it. */
HeaderAddress header_next_address(Span *list, char ret[static HEADER_ADDRESS_MAX]);
