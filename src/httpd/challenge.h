/* SPDX-License-Identifier: MIT */
/* Serves files below the document root that answer ACME challenges. */
#pragma once

void challenge_register_hooks(void);
