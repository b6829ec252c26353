/* SPDX-License-Identifier: MIT */
/*
 * Searches a document root for .htaccess files, PHP pages, applications, and pages that the
 * instance's user can't read. Searches with the rights of this user, from the top down, and does
 * not follow links. Opens only folders, and ends after a number of files and folders and at a given
 * time, so the customer's files can't delay the search. Does not log.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ctl/ask/access.h"

#define PAGES_DEFAULT 5000 /* the default for max of pages_look() */

/* Files and folders that a client may request, but that the user can't read. */
typedef struct ClosedPages {
        size_t n;
        bool is_first;       /* path is the site's first page (index.*) */
        char path[PATH_MAX]; /* the closed first page, or else the first closed path found */
        struct stat stat;    /* of path */
} ClosedPages;

typedef struct Pages {
        size_t n_seen;  /* files and folders */
        bool is_cut;    /* the search ended early, at max or at the end of its time */
        char *htaccess; /* folders with a file .htaccess; a NUL follows each path */
        size_t htaccess_size;
        ClosedPages closed;
        bool php_is_first;  /* php is the path of the site's first page */
        char php[PATH_MAX]; /* a PHP page; "": none was found */
        char **apps;        /* folders directly below the root with their own index.php */
        size_t n_apps;
} Pages;

/* The number of seconds that the check of max files and folders may take. */
uint64_t pages_seconds(size_t max);

/* The search ends after max files and folders, and at end_nsec, a time of CLOCK_MONOTONIC. Returns
 * 0, or a negative errno if root can't be opened. */
int pages_look(const Identity *who, const char *root, size_t max, uint64_t end_nsec, Pages *ret);
void pages_done(Pages *pages);
