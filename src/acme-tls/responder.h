/* SPDX-License-Identifier: MIT */
/* Receives connections of certificate authorities and answers their challenges in TLS handshakes
 * (RFC 8737). */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Receives hand-offs from the user sender_uid, until none has arrived for idle_usec.
 * challenges_dir: the folder of pending challenges. Logs errors. Returns 0 or a negative errno. */
int responder_run_consume(int handoff_fd, uid_t sender_uid, const char *challenges_dir,
                          uint64_t idle_usec);
