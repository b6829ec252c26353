/* SPDX-License-Identifier: MIT */
/* Answers to ACME challenges that are files below the document root. */
#pragma once

#include <stdbool.h>

#define CHALLENGES "/.well-known/acme-challenge/"

/* path: of a request, its query included. */
bool challenge_is_below(const char *path);

void challenge_register_hooks(void);
