/* SPDX-License-Identifier: MIT */
/* How a refused connection ends, so that the client sees the reply and not a reset. */
#pragma once

#include "refuse/refuse.h"

/* So long a refused client may still send before it is cut off. */
#define PARTING_USEC (2 * UINT64_C(1000000))

/* Whether the client takes words for what they are. */
bool parting_has_words(int fd, enum bellhop_protocol protocol, RefuseReason reason);

/* The last words to a client, whose own are thrown away; then parting_discard() until the client
 * has taken them. Nothing more can be sent. */
void parting_say(int fd, const char *reply, size_t size);

/* Throws away what is there to read, up to a limit in all, which *n_discarded counts. False when
 * the connection is to be closed: at the end of input or beyond the limit. */
bool parting_discard(int fd, size_t *n_discarded);
