/* SPDX-License-Identifier: MIT */
/* Whether the private key of an instance is its own alone. */
#pragma once

/* Logs where everybody on the machine can read it, and leaves it at that: pages that are served are
 * worth more than an instance that is down for a mode. */
void keys_warn(const char *config_dir, const char *instance);
