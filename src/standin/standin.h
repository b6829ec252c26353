/* SPDX-License-Identifier: MIT */
/*
 * Receives hand-offs in place of an instance that can't start, and refuses them. Otherwise such an
 * instance would be started again and again while its visitors wait. bellhop-standin@.service names
 * the hand-off socket in Sockets=, and while one of its services is starting or runs, a socket
 * starts none; so the next visitor after the stand-in has ended starts the instance again.
 */
#pragma once

#include <stdint.h>

/* As Retry-After: in the refusal says. */
#define STANDIN_PAUSE_USEC (5 * UINT64_C(1000000))

/* How long the first connection in the queue has waited; 0: there is none. */
uint64_t standin_waited_usec(int handoff_fd);

/*
 * Refuses for pause_usec whatever is in the queue of the hand-off socket or comes, then ends.
 * cause: why the instance can't start, for the status. sender_uid: as in bellhop_receive().
 */
int standin_run_consume(int handoff_fd, const char *instance, const char *cause, uid_t sender_uid,
                        uint64_t pause_usec);
