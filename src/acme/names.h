/* SPDX-License-Identifier: MIT */
/* Checks a host before bellhop-acme orders a certificate for it: the authority must be able to see
 * that the host leads to this machine. Asks DNS and the host itself, and waits at most two
 * minutes for each host. */
#pragma once

#include "config/acme-settings.h"

#define NAMES_REASON_MAX 512

/* host: in canonical form, or "*." and a suffix. challenges: the folder of pending challenges.
 * Returns true and the type of challenge to use for the host. If the host can't have a certificate,
 * returns false and a reason to show to people. */
bool names_check(const AcmeSettings *settings, const char *challenges, const char *host,
                 AcmeChallenge *ret, char reason[static NAMES_REASON_MAX]);
