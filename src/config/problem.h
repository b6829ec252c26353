/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a file of the configuration: as data for programs, which never read the text,
 * and as one text for people.
 */
#pragma once

#include <stddef.h>

typedef enum ProblemKind {
        /* Of a file as a whole. */
        PROBLEM_FILE_UNUSABLE, /* can't be read, no regular file, or too large */
        PROBLEM_FILE_OWNER,    /* owned by a user who could change it behind root's back */
        PROBLEM_FILE_MODE,     /* writable by others than its owner */
        PROBLEM_NAME,          /* its name is not valid for an instance */
        PROBLEM_NO_USER,       /* there is no user of its name */
        PROBLEM_USER,          /* its user is root or the router's */
        PROBLEM_NO_ROUTE,      /* nothing leads to the instance */
        PROBLEM_ROUTE_LOST,    /* after a reload, another instance has a route of this one */
        /* Of a line. */
        PROBLEM_SYNTAX,         /* neither a section nor an assignment */
        PROBLEM_SECTION,        /* unknown; meant: the section that belongs there */
        PROBLEM_NO_SECTION,     /* key before any section; meant: the section */
        PROBLEM_KEY,            /* unknown; word: the key; meant: the known key next to it */
        PROBLEM_VALUE,          /* not one of its key; word in a list; meant: what to write */
        PROBLEM_DUPLICATE,      /* word: a route that the file has twice */
        PROBLEM_CONFLICT,       /* word: a route that leads to another instance */
        PROBLEM_SECOND_DEFAULT, /* another instance is the default */
} ProblemKind;

typedef struct Problem {
        ProblemKind kind;
        char *instance;   /* by the name of its file, which need not be a valid one; NULL: router */
        char *file;       /* path */
        unsigned line;    /* from 1; 0: the file as a whole */
        const char *key;  /* the known setting that the line assigns, such as "Host"; or NULL */
        char *word;       /* the part of the line that is wrong; NULL: all of it, or the file */
        char *meant;      /* what was probably meant instead of word; NULL: nothing is near */
        char *text;       /* "FILE:LINE: what is wrong; what to do", or without ":LINE" */
        const char *what; /* the same without the place; points into text */
} Problem;

/* Frees an array of n. Returns NULL. */
Problem *problems_free(Problem *problems, size_t n);
