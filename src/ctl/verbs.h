/* SPDX-License-Identifier: MIT */
/* Tables of all verbs and options, for parsing and --help. A test compares these tables with the
 * man page and the completions. */
#pragma once

#include <stddef.h>

#include "ctl/ctl.h"

typedef struct Verb {
        const char *name;
        const char *argument; /* as --help shows it: "NAME", "[NAME]", "NAME NEW", "[NAME...]";
                                 NULL: none */
        const char *help;
        CtlStatus (*run)(const Ctl *ctl, char *arguments[]);
} Verb;

typedef enum OptionKind {
        OPTION_FLAG,    /* sets a bool to true */
        OPTION_STRING,  /* sets a const char * */
        OPTION_SETTING, /* appends to Ctl.settings */
        OPTION_ACME,    /* sets Tls=acme and, with an argument, Acme= */
        OPTION_HELP,
        OPTION_VERSION,
} OptionKind;

/* Two options may have the same name if they are for different verbs. */
typedef struct Option {
        const char *name;
        char letter;          /* 0: none */
        const char *argument; /* as --help shows it, in [] if it is optional; NULL: none */
        const char *verbs;    /* separated by blanks; NULL: all */
        const char *help;
        OptionKind kind;
        size_t offset;       /* of the field in Ctl that the option sets */
        const char *setting; /* the key that OPTION_SETTING sets; without an argument, its value is
                                "yes" */
} Option;

#define OPTIONS_MAX 64

extern const Verb verbs[];
extern const size_t n_verbs;
extern const Option options[];
extern const size_t n_options;

/* Returns the verb with this name, or NULL if there is none. */
const Verb *verb_find(const char *name);
/* Whether the verb has the option. If verb is NULL, the verb is unknown, so the result is true. */
bool option_is_for(const Option *option, const Verb *verb);
