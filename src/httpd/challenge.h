/* SPDX-License-Identifier: MIT */
/* Serves the answers to ACME challenges, which are files below the document root. */
#pragma once

void challenge_register_hooks(void);
