/* SPDX-License-Identifier: MIT */
/*
 * A datagram socket that is shut for reading alone stays readable for ever, with nothing to read
 * (unix(7), poll(2)). That of an instance is also polled by systemd while the instance does not
 * run; systemd 252 runs no job any more, for any unit, while it is to stop such a socket. One that
 * is shut for both ways tells so, and its unit fails, at once and alone.
 */
#pragma once

#include <stdbool.h>

/* Shuts a socket for both ways that somebody has shut for reading. Returns whether he has. */
bool shut_whole(int fd);
