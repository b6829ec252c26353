/* SPDX-License-Identifier: MIT */
/* The value of TrustedProxy=: addresses and prefixes of proxies. */
#pragma once

#include "config/settings.h"

/* Adds to the TrustedProxies that are the target; an empty value forgets those before. */
int setting_parse_trusted_proxies(SettingsFile *file, Span value, void *target);
