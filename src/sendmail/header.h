/* SPDX-License-Identifier: MIT */
/* Parses the header of a message (RFC 5322) that a program gives to sendmail: its fields, and their
 * addresses. Lines end in LF or CR LF. Makes no system calls. */
#pragma once

#include "util/span.h"

typedef struct HeaderField {
        Span name;
        Span value; /* all its lines, without the last line end */
        Span whole; /* name and value, with the last line end */
} HeaderField;

/* Removes the first field from *rest. Returns false at the end of the header. The text of the
 * message then remains in *rest, with or without an empty line before it. */
bool header_next(Span *rest, HeaderField *ret);

bool header_is(const HeaderField *field, const char *name);

typedef enum HeaderAddress {
        HEADER_ADDRESS,
        HEADER_ADDRESSES_END,
        HEADER_ADDRESS_INVALID, /* ret has the invalid text */
} HeaderAddress;

#define HEADER_ADDRESS_MAX 256

/* Removes the next address from a list such as the value of To:, which may have names, comments and
 * groups. */
HeaderAddress header_next_address(Span *list, char ret[static HEADER_ADDRESS_MAX]);
