/* SPDX-License-Identifier: MIT */
/* Questions to bellhop-cert, which works with customers' keys: see src/cert/main.c. */
#pragma once

#include <stddef.h>

/*
 * Sends the question (a command in one line, and the data of the command, if any) to bellhop-cert,
 * and waits at most two minutes for the answer.
 * Returns 0; -ENOENT if there is no certificate or key; -EREMOTEIO if the answer is an error; or
 * another negative errno. For 0 and -EREMOTEIO, sets *ret_text to the text of the answer or of the
 * error, which the caller frees.
 */
int acme_ask(const char *socket_path, const char *question, char **ret_text);
