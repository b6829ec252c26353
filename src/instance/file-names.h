/* SPDX-License-Identifier: MIT */
/* Recognizes files that a server must not send, by their names. path: a path, or only a name. Pure.
 */
#pragma once

#include <stdbool.h>

/* Names that PHP and common hosting configurations use: .php, .php5 and similar, .phtml, .pht and
 * .phar. */
bool file_name_is_php(const char *path);

/* Names of programs, and of their source files. */
bool file_name_is_program(const char *path);

/* Names of files that Apache or PHP reads as settings. Some of these files have passwords. */
bool file_name_is_settings(const char *path);
