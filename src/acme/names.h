/* SPDX-License-Identifier: MIT */
/* Finds out, before an order is made, whether the authority will be able to see that a host leads
 * to this machine. Asks DNS and the host itself, and waits at most two minutes for each host. */
#pragma once

#include "config/acme-settings.h"

#define NAMES_REASON_MAX 512

/* host: in canonical form, or "*." and a suffix. challenges: the folder of pending challenges.
 * Returns true and the challenge for the host, otherwise false and the reason, for people. */
bool names_check(const AcmeSettings *settings, const char *challenges, const char *host,
                 AcmeChallenge *ret, char reason[static NAMES_REASON_MAX]);
