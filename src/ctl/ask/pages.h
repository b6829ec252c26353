/* SPDX-License-Identifier: MIT */
/*
 * Searches a document root as the instance's user, from the top down and through no link, and notes
 * whether clients get pages. Opens only folders, and ends after a number of files and folders, so
 * nothing that the customer has put there can delay it. Does not log.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "ctl/ask/access.h"

#define PAGES_DEFAULT 5000 /* files and folders */

/* A file that a client may request and the user can't read. */
typedef struct ClosedPages {
        size_t n;
        bool is_first;       /* path is a first page, so the site has none */
        char path[PATH_MAX]; /* the closed first page, or else the first closed file */
        struct stat stat;    /* of path */
} ClosedPages;

typedef struct Pages {
        size_t n_seen;  /* files and folders */
        bool is_cut;    /* there are more */
        char *htaccess; /* folders with a file .htaccess, each ended by NUL */
        size_t htaccess_size;
        ClosedPages closed;
        bool php_is_first;  /* this page is the first page */
        char php[PATH_MAX]; /* a PHP page; "": none was found */
        char **apps;        /* folders in the root with their own index.php */
        size_t n_apps;
} Pages;

/* max: files and folders. Returns 0, or a negative errno if the folder can't be opened. */
int pages_look(const Identity *who, const char *root, size_t max, Pages *ret);
void pages_done(Pages *pages);
