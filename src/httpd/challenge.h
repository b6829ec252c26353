/* SPDX-License-Identifier: MIT */
/* Serves answers to ACME challenges that are files below the document root. */
#pragma once

void challenge_register_hooks(void);
