/* SPDX-License-Identifier: MIT */
/*
 * Keeps prefork's graceful signal away from a child that serves a connection. APR doesn't resume a
 * wait for the client that a signal has interrupted: the request, or the TLS handshake, would be
 * dropped. The signal stays pending and is delivered as soon as the shield is down. Threaded MPMs
 * need none of it: their signals go to a thread that serves nobody.
 */
#pragma once

#include <stdbool.h>

void shield_init(bool is_needed);
void shield_up(void);
void shield_down(void);
