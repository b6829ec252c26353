/* SPDX-License-Identifier: MIT */
/* Recognizes files that a server must not send. Looks only at their names. path: a path, or only a
 * name. Pure. */
#pragma once

#include <stdbool.h>

/* Whether PHP or common hosting configurations treat the file as PHP: .php, .php5 and similar,
 * .phtml, .pht and .phar. */
bool file_name_is_php(const char *path);

/* Whether the file is a program, or the source file of a program. */
bool file_name_is_program(const char *path);

/* Whether Apache or PHP reads the file as settings. Some of these files contain passwords. */
bool file_name_is_settings(const char *path);
