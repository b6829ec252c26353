/* SPDX-License-Identifier: MIT */
/* All verbs and options, as tables: what is parsed, what --help says. Man page and completion are
 * held against them by a test. */
#pragma once

#include <stddef.h>

#include "ctl/ctl.h"

typedef struct Verb {
        const char *name;
        const char *arguments; /* as --help shows them; NULL: none */
        int min_arguments;
        int max_arguments;
        const char *help;
        CtlStatus (*run)(const Ctl *ctl, char *arguments[]);
} Verb;

typedef enum OptionKind {
        OPTION_FLAG,   /* a bool becomes true */
        OPTION_STRING, /* a const char * */
        OPTION_LIST,   /* one more of an OptionList */
        OPTION_HELP,
        OPTION_VERSION,
} OptionKind;

/* Two may have the same name, if they are for different verbs. */
typedef struct Option {
        const char *name;
        char letter;          /* 0: none */
        const char *argument; /* as --help shows it; NULL: takes none */
        const char *verbs;    /* separated by blanks; NULL: all */
        const char *help;
        OptionKind kind;
        size_t offset; /* of the target in Ctl */
} Option;

#define OPTIONS_MAX 48

extern const Verb verbs[];
extern const size_t n_verbs;
extern const Option options[];
extern const size_t n_options;

/* NULL: there is none. */
const Verb *verb_find(const char *name);
/* NULL for verb: true, as it might be. */
bool option_is_for(const Option *option, const Verb *verb);
