/* SPDX-License-Identifier: MIT */
/* Names of files that a server must not send. Pure. path: may be the name alone. */
#pragma once

#include <stdbool.h>

/* Names that PHP and common hosting configurations use: .php, .php5 and similar, .phtml, .pht and
 * .phar. */
bool file_name_is_php(const char *path);

/* Of a program, or of its source. */
bool file_name_is_program(const char *path);

/* Apache or PHP reads it as settings, and some have passwords. */
bool file_name_is_settings(const char *path);
